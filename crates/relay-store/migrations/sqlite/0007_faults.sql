-- Calls with an attempt that failed are few, and are found without looking at the others.
create index calls_retried on calls (call_id) where attempts is not null;

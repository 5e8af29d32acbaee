-- Sums by day of the relay's time zone, for charts and lists over months: those of a key without
-- model and account, and those of an account and model without the key. They are written with the
-- roll-ups that they come from, and made anew from these when the zone is another.
create table days_keys (
    day                   integer not null,
    key_id                integer not null,
    calls                 integer not null,
    estimated_calls       integer not null,
    failed_calls          integer not null,
    input                 integer not null,
    output                integer not null,
    cache_read            integer not null,
    cache_write_5m        integer not null,
    cache_write_1h        integer not null,
    web_searches          integer not null,
    cost_nanos            integer not null,
    first_byte_count      integer not null,
    first_byte_millis_sum integer not null,
    total_millis_sum      integer not null,
    primary key (day, key_id)
) strict, without rowid;

create index days_keys_key on days_keys (key_id, day);

create table days_models (
    day                   integer not null,
    account_id            integer not null,
    model                 text    not null,
    calls                 integer not null,
    estimated_calls       integer not null,
    failed_calls          integer not null,
    input                 integer not null,
    output                integer not null,
    cache_read            integer not null,
    cache_write_5m        integer not null,
    cache_write_1h        integer not null,
    web_searches          integer not null,
    cost_nanos            integer not null,
    first_byte_count      integer not null,
    first_byte_millis_sum integer not null,
    total_millis_sum      integer not null,
    primary key (day, account_id, model)
) strict, without rowid;

-- In which zone their days begin: one row.
create table days_zone (
    id   integer not null primary key check (id = 1),
    zone text    not null
) strict;

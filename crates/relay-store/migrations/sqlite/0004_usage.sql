-- One row for each call, pruned after a retention.
create table usage (
    call_id           text    not null primary key,
    at                integer not null,
    key_id            integer not null,
    account_id        integer not null,
    path              text    not null,
    model_asked       text    not null,
    model_served      text    not null,
    client            text    not null,
    session           text,
    streamed          integer not null,
    status            integer not null,
    outcome           text    not null,
    input             integer not null,
    output            integer not null,
    cache_read        integer not null,
    cache_write_5m    integer not null,
    cache_write_1h    integer not null,
    web_searches      integer not null,
    exactness         text    not null,
    cost_nanos        integer not null,
    price_version     text    not null,
    price_source      text    not null,
    service_tier      text    not null,
    speed             text    not null,
    first_byte_millis integer,
    total_millis      integer not null,
    attempts          text    not null
) strict;

create index usage_at on usage (at);
create index usage_key on usage (key_id, at);
create index usage_account on usage (account_id, at);
create index usage_provisional on usage (call_id)
    where price_source in ('family_maximum', 'provider_maximum', 'unknown');

-- Sums by quarter of an hour, kept for ever: what reports and limits are made from.
create table rollups (
    quarter               integer not null,
    key_id                integer not null,
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
    primary key (quarter, key_id, account_id, model)
) strict, without rowid;

create index rollups_key on rollups (key_id, quarter);
create index rollups_account on rollups (account_id, quarter);

-- How far the journal has been taken in: one row, written with the records it stands for.
create table journal_position (
    id             integer not null primary key check (id = 1),
    segment        integer not null,
    position_bytes integer not null
) strict;

-- Calls that were refused before any account was asked.
create table refusals (
    hour   integer not null,
    key_id integer not null,
    reason text    not null,
    calls  integer not null,
    primary key (hour, key_id, reason)
) strict, without rowid;

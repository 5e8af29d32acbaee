-- Upstream logins and their groups. A removed account keeps its row, as history names it.
-- Limits and deadlines of zero are not set, and sealed columns that are empty hold nothing.
-- A sign-in and each refresh give credential_version a greater number.
create table accounts (
    id                 integer primary key autoincrement,
    name               text    not null,
    note               text    not null,
    kind               text    not null,
    base_url           text    not null,
    key_header         text    not null,
    speaks             text    not null,
    project            text    not null,
    enabled            integer not null,
    priority           integer not null,
    weight             integer not null,
    concurrency_max    integer not null,
    sharing            text    not null,
    models             text    not null,
    model_map          text    not null,
    sealed_headers     blob    not null,
    payload            text    not null,
    first_byte_millis  integer not null,
    unary_millis       integer not null,
    idle_millis        integer not null,
    sealed_secret      blob    not null,
    secret_tail        text    not null,
    sealed_proxy       blob    not null,
    clients            text    not null,
    oauth              text    not null,
    stop_at            text    not null,
    daily_cost_nanos   integer not null,
    ends_at            integer,
    credential_version integer not null,
    signed_out_at      integer,
    signed_out_cause   text,
    identity           text,
    warned_of          integer,
    created_at         integer not null,
    updated_at         integer not null,
    removed_at         integer
) strict;

create unique index accounts_name on accounts (name) where removed_at is null;

create table groups (
    id         integer primary key autoincrement,
    name       text    not null,
    created_at integer not null
) strict;

create unique index groups_name on groups (name);

create table group_accounts (
    group_id   integer not null references groups (id) on delete cascade,
    account_id integer not null references accounts (id) on delete cascade,
    primary key (group_id, account_id)
) strict, without rowid;

create index group_accounts_account on group_accounts (account_id);

-- What the machine noted of accounts, such as rests and windows; the store does not read into it.
create table account_notes (
    account_id integer primary key references accounts (id) on delete cascade,
    note       text    not null,
    updated_at integer not null
) strict;

-- What a running server polls: one row for each edit.
create table changes (
    seq        integer primary key autoincrement,
    subject    text    not null,
    subject_id integer not null,
    op         text    not null,
    at         integer not null
) strict;

create table settings (
    name       text    not null primary key,
    value      text    not null,
    updated_at integer not null
) strict;

create table admins (
    id                  integer primary key autoincrement,
    username            text    not null,
    password_hash       text    not null,
    created_at          integer not null,
    password_changed_at integer not null,
    role                text    not null,
    -- What codes of the second factor are made from; empty without one.
    sealed_totp         blob    not null,
    -- The last time step whose code was taken: each works once.
    totp_step           integer not null,
    disabled            integer not null
) strict;

create unique index admins_username on admins (username);

-- Events that notifications have not taken yet, and the last ones that they have.
create table outbox (
    id           integer primary key autoincrement,
    name         text    not null,
    event        text    not null,
    at           integer not null,
    delivered_at integer
) strict;

create index outbox_pending on outbox (id) where delivered_at is null;

create table price_overrides (
    model      text    not null primary key,
    price      text    not null,
    updated_at integer not null
) strict;

create table price_lists (
    id          integer primary key autoincrement,
    source      text    not null,
    version     text    not null,
    body        blob    not null,
    imported_at integer not null
) strict;

-- Which account serves which conversation, for the next start.
create table pins (
    session    text    not null primary key,
    account_id integer not null,
    expires_at integer not null
) strict, without rowid;

create index pins_expiry on pins (expires_at);

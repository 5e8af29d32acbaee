-- What clients are given: never the key itself, only its hash under a pepper.
create table keys (
    id            integer primary key autoincrement,
    name          text    not null,
    note          text    not null,
    owner         text    not null,
    enabled       integer not null,
    expires_at    integer,
    bindings      text    not null,
    tags          text    not null,
    limits        text    not null default '{}',
    rules         text    not null default '{}',
    pepper_id     integer not null references peppers (id),
    hash          blob    not null,
    secret_tail   text    not null,
    first_used_at integer,
    created_at    integer not null,
    updated_at    integer not null,
    removed_at    integer
) strict;

create unique index keys_name on keys (name) where removed_at is null;
create unique index keys_hash on keys (pepper_id, hash);

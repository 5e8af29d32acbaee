-- Which master keys can open this database, and the peppers that client keys are hashed with.
create table vault_keys (
    key_id      text    not null primary key,
    check_value blob    not null,
    created_at  integer not null
) strict;

create table peppers (
    id         integer primary key autoincrement,
    scheme     text    not null,
    sealed     blob    not null,
    created_at integer not null
) strict;

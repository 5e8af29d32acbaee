-- Who is signed in to the admin page. The cookie's value is not here, only what it hashes to.
create table sessions (
    hash       blob    not null primary key,
    admin_id   integer not null references admins (id) on delete cascade,
    created_at integer not null,
    seen_at    integer not null,
    ends_at    integer not null,
    address    text    not null,
    user_agent text    not null
) strict, without rowid;

create index sessions_admin on sessions (admin_id);

-- What scripts sign in by; the token itself is not here either.
create table admin_tokens (
    id           integer primary key autoincrement,
    name         text    not null,
    hash         blob    not null unique,
    tail         text    not null,
    scopes       text    not null,
    created_by   text    not null,
    created_at   integer not null,
    expires_at   integer,
    last_used_at integer
) strict;

create unique index admin_tokens_name on admin_tokens (name);

-- Every change: who, what, from where. Secrets never come here.
create table audit_log (
    id      integer primary key autoincrement,
    at      integer not null,
    actor   text    not null,
    door    text    not null,
    address text    not null,
    verb    text    not null,
    subject text    not null,
    name    text    not null,
    detail  text    not null
) strict;

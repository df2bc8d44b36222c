create table users (
  id text primary key,
  email text not null,
  -- Normal form in lower case: what is compared.
  email_key text not null unique,
  username text not null,
  username_key text not null unique,
  password_hash text not null,
  roles text[] not null default '{}',
  status text not null default 'active' check (status in ('active', 'disabled')),
  language text not null check (language in ('en', 'ko')),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);
create index users_email_prefix on users (email_key text_pattern_ops);
create index users_username_prefix on users (username_key text_pattern_ops);

-- A login on one device; all refresh tokens that came of it belong to it and end with it.
create table sessions (
  id text primary key,
  user_id text not null references users (id) on delete cascade,
  created_at timestamptz not null default now(),
  last_used_at timestamptz not null default now(),
  expires_at timestamptz not null,
  ended_at timestamptz,
  end_reason text check (end_reason in ('logout', 'revoked', 'password_changed', 'disabled', 'token_reused', 'too_many')),
  user_agent text,
  address text,
  refreshes int not null default 0,
  refresh_window_started_at timestamptz not null default now()
);
create index sessions_live on sessions (user_id, id desc) where ended_at is null;
create index sessions_over on sessions (expires_at);

-- Only the SHA-256 of a token is kept.
create table refresh_tokens (
  hash bytea primary key,
  session_id text not null references sessions (id) on delete cascade,
  generation bigint not null,
  issued_at timestamptz not null default now(),
  rotated_at timestamptz,
  unique (session_id, generation)
);

-- Attempts in the running window, by the SHA-256 of what was given as login: unknown names are counted like known ones.
create table login_attempts (
  key bytea primary key,
  attempts int not null,
  window_started_at timestamptz not null
);
create index login_attempts_age on login_attempts (window_started_at);

create table audit (
  id bigint generated always as identity primary key,
  at timestamptz not null default now(),
  action text not null,
  actor text,
  subject text,
  data jsonb not null default '{}',
  request_id text
);
create index audit_subject on audit (subject, id desc);
create index audit_actor on audit (actor, id desc);

-- Events that became true with a transaction and are not on the log yet. The counter's row is locked until its transaction
-- ends, so sequences have no gap and commit in order.
create table outbox_counter (
  only_row boolean primary key default true check (only_row),
  last_sequence bigint not null
);
insert into outbox_counter (last_sequence) values (0);

create table outbox (
  sequence bigint primary key,
  -- Text, not jsonb: a repeat must append the same bytes.
  body text not null,
  created_at timestamptz not null default now(),
  log_offset bigint,
  sent_at timestamptz
);
create index outbox_unsent on outbox (sequence) where sent_at is null;
create index outbox_sent on outbox (sent_at) where sent_at is not null;

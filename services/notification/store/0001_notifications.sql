-- What this service knows of users, from user-events.
create table recipients (
  user_id text primary key,
  email text not null,
  username text not null,
  language text not null check (language in ('en', 'ko'))
);

-- Choices that differ from the defaults.
create table preferences (
  user_id text primary key,
  language text check (language in ('en', 'ko'))
);
create table channel_choices (
  user_id text not null,
  kind text not null,
  channel text not null check (channel in ('inbox', 'email')),
  enabled boolean not null,
  primary key (user_id, kind, channel)
);

-- One row for each event that a user is told of. Figures are kept, text is made when it is read, in the language of then.
create table notifications (
  id bigint generated always as identity primary key,
  user_id text not null,
  -- `<topic>:<event id>`: an event seen again changes nothing.
  event_key text not null unique,
  kind text not null,
  data jsonb not null,
  in_inbox boolean not null,
  created_at timestamptz not null,
  read_at timestamptz
);
create index notifications_user on notifications (user_id, id desc);
create index notifications_unread on notifications (user_id, id desc) where in_inbox and read_at is null;

create table deliveries (
  id bigint generated always as identity primary key,
  notification_id bigint not null references notifications (id) on delete cascade,
  user_id text not null,
  channel text not null check (channel in ('email')),
  status text not null check (status in ('queued', 'sent', 'failed', 'not_sent')),
  reason text,
  attempts int not null default 0,
  last_error text,
  message_id text not null,
  -- While an attempt runs this is when its claim lapses.
  next_attempt_at timestamptz not null default now(),
  created_at timestamptz not null default now(),
  sent_at timestamptz,
  unique (notification_id, channel)
);
create index deliveries_due on deliveries (next_attempt_at) where status = 'queued';
create index deliveries_sent on deliveries (user_id, sent_at) where status = 'sent';
create index deliveries_user on deliveries (user_id, id desc);
create index deliveries_status on deliveries (status, id desc);

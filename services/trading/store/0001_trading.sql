-- Who publishes, by name of the duty.
create table leases (
  name text primary key,
  holder text not null,
  expires_at timestamptz not null
);

-- State of the exchange after `command_count` commands, the last of which stands in the log record `log_offset`.
create table snapshots (
  command_count bigint primary key,
  log_offset bigint not null,
  state_hash text not null,
  body bytea not null,
  taken_at timestamptz not null default now()
);

create table orders (
  id text primary key,
  user_id text not null,
  client_order_id text not null,
  symbol text not null,
  status text not null,
  -- The number of its last event in the account's stream: its fills stand at or before it.
  sequence bigint not null,
  document text not null
);
create index orders_by_user on orders (user_id, id desc);
create index orders_by_client_order_id on orders (user_id, client_order_id);

-- The numbered stream of each account, each record chained to the one before. Fills and the journal are read from it: a row more
-- for each would cost more than the order itself. `data` is JSON; as text it is stored without being parsed.
create table account_events (
  user_id text not null,
  sequence bigint not null,
  type text not null,
  occurred_at text not null,
  data text not null,
  hash bytea not null,
  primary key (user_id, sequence)
);

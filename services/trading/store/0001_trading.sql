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
  document json not null
);
create index orders_by_user on orders (user_id, id desc);
create index orders_by_client_order_id on orders (user_id, client_order_id);

create table fills (
  user_id text not null,
  sequence bigint not null,
  order_id text not null,
  trade_id text not null,
  document json not null,
  primary key (user_id, sequence)
);
create index fills_by_order on fills (order_id, sequence);

-- The numbered stream of each account, each record chained to the one before.
create table account_events (
  user_id text not null,
  sequence bigint not null,
  type text not null,
  occurred_at text not null,
  data json not null,
  hash text not null,
  previous_hash text not null,
  primary key (user_id, sequence)
);

-- The journal: one row a leg that touched the account.
create table ledger (
  user_id text not null,
  sequence bigint not null,
  leg smallint not null,
  asset text not null,
  amount numeric not null,
  reason text not null,
  reference text not null,
  occurred_at text not null,
  primary key (user_id, sequence, leg)
);

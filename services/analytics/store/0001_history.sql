-- What the events said, by the moment they happened. Money is numeric: exact, as it came.

create table accounts (
  user_id text primary key,
  opened_at timestamptz not null,
  -- Number of the newest event of the account that is counted in; a repeat is told by it.
  sequence bigint not null,
  last_event_at timestamptz not null
);

-- How far a topic is counted in, as the time of its newest event.
create table progress (
  topic text primary key,
  event_at timestamptz not null
);

-- Totals after each change. System accounts are kept by the minute.
create table balances (
  user_id text not null,
  asset text not null,
  at timestamptz not null,
  total numeric not null,
  primary key (user_id, asset, at)
);
create index balances_by_time on balances (at);

create table positions (
  user_id text not null,
  symbol text not null,
  at timestamptz not null,
  quantity numeric not null,
  average_price numeric not null,
  primary key (user_id, symbol, at)
);
create index positions_by_time on positions (at);

-- Grants, deposits (> 0) and withdrawals (< 0): never profit.
create table flows (
  user_id text not null,
  sequence bigint not null,
  at timestamptz not null,
  asset text not null,
  amount numeric not null,
  primary key (user_id, sequence)
);
create index flows_by_user_and_time on flows (user_id, at);

create table fills (
  user_id text not null,
  sequence bigint not null,
  at timestamptz not null,
  symbol text not null,
  notional numeric not null,
  -- The notional, positive where it was received.
  cash numeric not null,
  fee numeric not null,
  -- Before the fee.
  gross_realized numeric not null,
  is_closing boolean not null,
  is_winning boolean not null,
  primary key (user_id, sequence)
);
create index fills_by_user_and_time on fills (user_id, at);
create index fills_by_time on fills (at);

-- Sums of fills that are no longer kept one by one, and of system accounts from the start. An hour holds what came after its
-- start until its end.
create table fill_hours (
  user_id text not null,
  symbol text not null,
  hour timestamptz not null,
  trades bigint not null,
  closing bigint not null,
  winning bigint not null,
  volume numeric not null,
  cash numeric not null,
  fees numeric not null,
  gross_realized numeric not null,
  primary key (user_id, symbol, hour)
);

-- The last price of each minute, and when in the minute it was.
create table marks (
  symbol text not null,
  minute timestamptz not null,
  at timestamptz not null,
  price numeric not null,
  primary key (symbol, minute)
);
create index marks_by_symbol_and_time on marks (symbol, at);
create index marks_by_time on marks (at);

-- One row a symbol that ever had a price.
create table symbols (
  symbol text primary key,
  first_price numeric not null
);

-- Hours before this are thinned, of each topic. The lock on the row lets one instance thin at a time.
create table thinning (
  topic text primary key,
  done_until timestamptz not null
);

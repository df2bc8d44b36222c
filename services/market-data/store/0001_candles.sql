-- 1-minute candles. Prices and volume in units of 10^-8. A feed is what they were made from; candles of two feeds are never mixed.
create table candles (
  feed text not null,
  symbol text not null,
  start_ms bigint not null,
  open bigint not null,
  high bigint not null,
  low bigint not null,
  close bigint not null,
  volume numeric(30, 0) not null,
  trades integer,
  primary key (feed, symbol, start_ms)
);

-- What the leading instance saw, in its order, for the other instances and for itself after a restart. Kept for minutes only.
create table tick_batches (
  id bigint generated always as identity primary key,
  made_at timestamptz not null default now(),
  feed text not null,
  body jsonb not null
);
create index tick_batches_made_at on tick_batches (made_at);

-- Where a replay began, so that a restart goes on as if it had never stopped.
create table feeds (
  feed text primary key,
  started_ms bigint not null,
  created_at timestamptz not null default now()
);

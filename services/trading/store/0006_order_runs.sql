-- Orders where they began: those that one run of an account's events creates are one row together, as the run's last event of each shows them. An order gets a row
-- of its own in `orders` when it changes after that run, or is part of a list; that row is then what counts, but for fills, which are those of both.

create table order_runs (
  user_id text collate "C" not null,
  -- Numbers of the last and the first order.
  last_order bigint not null,
  first_order bigint not null,
  -- What is among them: a bit for each status in the order of the contract, and the symbols; a list by either skips the other rows.
  statuses integer not null,
  symbols text[] collate "C" not null,
  -- JSON: for each, ascending, [number, number of its last event in the run, status, place in symbols, numbers of its fills, ...].
  orders text not null,
  primary key (user_id, last_order)
);
create index order_runs_by_order on order_runs (last_order);

-- Ids that clients gave to orders without a row of their own.
create table order_client_ids (
  user_id text collate "C" not null,
  client_order_id text collate "C" not null,
  order_number bigint not null,
  primary key (user_id, client_order_id, order_number)
);

-- The stream of an account in runs: the events of one account that one record of `trading-events` holds are one row, so that the cost of an
-- event falls as load rises. An order is a row without its document, which is the data of its last event.

create table account_event_runs (
  user_id text collate "C" not null,
  last_sequence bigint not null,
  first_sequence bigint not null,
  -- Hash of the event before the first, and of each event of the run: 32 bytes each.
  previous_hash bytea not null,
  hashes bytea not null,
  -- Whether one of them moved the ledger.
  has_postings boolean not null,
  -- JSON array of {sequence, type, timestamp, data}, compressed with zstd where that is worth it. `data` has sorted keys, as it was hashed.
  events bytea not null,
  primary key (user_id, last_sequence)
);
alter table account_event_runs alter column events set storage external;
alter table account_event_runs alter column hashes set storage external;
alter table account_event_runs set (toast_tuple_target = 8160);
create index account_event_runs_with_postings on account_event_runs (user_id, last_sequence) where has_postings;

insert into account_event_runs (user_id, last_sequence, first_sequence, previous_hash, hashes, has_postings, events)
select user_id, sequence, sequence,
  coalesce(lag(hash) over (partition by user_id order by sequence), decode(repeat('00', 32), 'hex')),
  hash,
  type in ('trade.executed', 'funds.moved', 'fill.booked'),
  convert_to(format('[{"sequence":%s,"type":%s,"timestamp":%s,"data":%s}]', sequence, to_json(type), to_json(occurred_at), data), 'UTF8')
from account_events;

alter table orders rename to orders_before;
drop index orders_by_user, orders_by_client_order_id;
alter table orders_before rename constraint orders_pkey to orders_before_pkey;

create table orders (
  -- Of a fixed width: as text they sort by time.
  id text collate "C" primary key,
  user_id text collate "C" not null,
  -- Null where the client gave none and the order's own id stands for it.
  client_order_id text collate "C",
  symbol text collate "C" not null,
  status text collate "C" not null,
  -- Number of its last event in the account's stream, whose data is the order.
  sequence bigint not null,
  -- Numbers of its fills in the stream, the first 1,000.
  fills bigint[]
);
create index orders_by_user on orders (user_id, id desc);
create index orders_by_client_order_id on orders (user_id, client_order_id) where client_order_id is not null;

insert into orders (id, user_id, client_order_id, symbol, status, sequence, fills)
select o.id, o.user_id, nullif(o.client_order_id, o.id), o.symbol, o.status, o.sequence,
  (select array_agg(e.sequence order by e.sequence) from account_events e
   where e.user_id = o.user_id and e.type = 'trade.executed' and e.data::json ->> 'order_id' = o.id)
from orders_before o;

drop table orders_before;
drop table account_events;

-- Orders that were placed together. What became of a list follows from its orders.
create table order_lists (
  -- Of a fixed width: as text they sort by time.
  id text collate "C" primary key,
  user_id text collate "C" not null,
  client_list_id text collate "C",
  symbol text collate "C" not null,
  type text collate "C" not null,
  -- In the order of their legs.
  order_ids text[] collate "C" not null
);
create index order_lists_by_user on order_lists (user_id, id desc);
create index order_lists_by_client_list_id on order_lists (user_id, client_list_id) where client_list_id is not null;

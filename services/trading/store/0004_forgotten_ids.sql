-- Client order ids that the state machine does not remember any more, as Bloom filters of a million each: an id that may be in one is looked up in `orders`.
create table forgotten_client_order_ids (
  generation integer primary key,
  ids bytea not null
);

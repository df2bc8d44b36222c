-- What replicas of the exchange found their state to be: hashes of one slice after another, at the same command counts on each. The newest
-- counts only (agreement/state-hashes.ts). A replica is an instance, or its publishing thread.
create table state_hashes (
  command_count bigint not null,
  replica text not null,
  -- Of what is hashed: hashes of two versions are not compared.
  version integer not null,
  slice integer not null,
  hash text not null,
  -- Of a replica that was outvoted and has stopped: it has no vote any more, however often it is started again.
  is_withdrawn boolean not null default false,
  recorded_at timestamptz not null default now(),
  primary key (command_count, replica)
);

-- Keys with which programs sign their requests. The secret is sealed with a key that stands in no table.
create table api_keys (
  id text primary key,
  user_id text not null references users (id) on delete cascade,
  label text not null,
  scopes text[] not null check (cardinality(scopes) > 0),
  addresses text[] not null default '{}',
  sealed_secret bytea not null,
  created_at timestamptz not null default now(),
  expires_at timestamptz,
  last_used_at timestamptz,
  revoked_at timestamptz
);
create index api_keys_live on api_keys (user_id, id desc) where revoked_at is null;
create index api_keys_revoked on api_keys (revoked_at desc) where revoked_at is not null;

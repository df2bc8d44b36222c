/**
 * Tables of discovery, as idempotent SQL run by the owner of the database.
 *
 * The table is unlogged: leases are renewed twice a second, need no WAL, and are announced anew after a crash anyway. Row
 * security lets a role announce only its own service, so that no service can pose as another (the keys that verify tokens
 * are fetched from whoever is announced as `user`). Owners and superusers are exempt.
 */
export const discoverySchema = `
create schema if not exists discovery;
create unlogged table if not exists discovery.instances (
  id text primary key,
  service text not null,
  url text not null,
  pid integer not null,
  version text not null,
  state text not null check (state in ('starting', 'ready', 'draining')),
  started_at timestamptz not null,
  renewed_at timestamptz not null
);
alter table discovery.instances enable row level security;
drop policy if exists everyone_reads on discovery.instances;
create policy everyone_reads on discovery.instances for select using (true);
drop policy if exists own_service_writes on discovery.instances;
create policy own_service_writes on discovery.instances for all
  using ('maru_' || replace(service, '-', '_') = current_user)
  with check ('maru_' || replace(service, '-', '_') = current_user);
grant usage on schema discovery to public;
grant select, insert, update, delete on discovery.instances to public;
`

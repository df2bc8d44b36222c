/**
 * Tables of discovery, as idempotent SQL run by the owner of the database.
 *
 * The table is unlogged: leases are renewed several times a second, need no WAL, and are announced anew after a crash anyway. Row
 * security lets a role announce only its own service, so that no service can pose as another (the keys that verify tokens
 * are fetched from whoever is announced as `user`). Owners and superusers are exempt. Columns are only ever added, with a default, so that
 * instances of an older release go on announcing themselves.
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
alter table discovery.instances
  add column if not exists ready_at timestamptz,
  add column if not exists capabilities text[] not null default '{}',
  add column if not exists load jsonb,
  add column if not exists owner text not null default '',
  add column if not exists backend integer;
alter table discovery.instances drop constraint if exists bounded;
alter table discovery.instances add constraint bounded check (
  length(id) <= 128 and length(service) <= 128 and length(url) <= 512 and length(version) <= 64 and length(owner) <= 64
  and cardinality(capabilities) <= 32 and length(capabilities::text) <= 4096 and length(load::text) <= 1024
) not valid;
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

/** Creates the schema of discovery; idempotent. Run as the owner of the database. */
export async function installDiscovery(adminClient: { query(sql: string): Promise<unknown> }): Promise<void> {
  await adminClient.query(discoverySchema)
}

import { discoveryBounds } from '../port.ts'

export const channel = 'discovery'

/** Rows of instances that died without withdrawing are deleted after this. */
const forgetMs = 60_000

const milliseconds = (parameter: string) => `make_interval(secs => ${parameter}::float8 / 1000)`

/**
 * When the lease of a row runs out, by the database's clock: sooner where the connection by which it was renewed has ended, as it does at once
 * when a process is killed. A renewal in the future was written before the clock was set back.
 */
const expiry = (row: string, leaseMs: string, lostMs: string) => `(case
  when ${row}.renewed_at > clock_timestamp() then '-infinity'
  when ${row}.backend is null or exists (select from pg_stat_get_activity(${row}.backend)) then ${row}.renewed_at + ${milliseconds(leaseMs)}
  else ${row}.renewed_at + ${milliseconds(lostMs)} end)`

/**
 * Upserts own rows ($1 JSON, $2 owner, $3 lease, $4 the shorter one), and notifies only where one is new, was dead, or says something else of itself. The load is none of that.
 * Gives the ids that could be written: a live row of another owner stays.
 */
export const renewal = `
with given as (
  select * from json_to_recordset($1::json)
    as given(id text, service text, url text, pid integer, version text, state text, started_at timestamptz, capabilities text[], load jsonb)
), before as (
  select id, state, ready_at, (url, pid, version, capabilities)::text as told from discovery.instances
  where id in (select id from given) and owner = $2 and ${expiry('instances', '$3', '$4')} > clock_timestamp()
), forgotten as (
  delete from discovery.instances where renewed_at < clock_timestamp() - interval '${forgetMs} milliseconds'
    and id not in (select id from given)
), written as (
  insert into discovery.instances as instances
    (id, service, url, pid, version, state, started_at, capabilities, load, owner, backend, ready_at, renewed_at)
  select given.id, service, url, pid, version, given.state, started_at, coalesce(capabilities, '{}'), load, $2, pg_backend_pid(),
    case when given.state = 'ready' then coalesce(before.ready_at, clock_timestamp()) end, clock_timestamp()
  from given left join before using (id)
  on conflict (id) do update set url = excluded.url, pid = excluded.pid, version = excluded.version, state = excluded.state,
    started_at = excluded.started_at, capabilities = excluded.capabilities, load = excluded.load, owner = excluded.owner,
    backend = excluded.backend, ready_at = excluded.ready_at, renewed_at = excluded.renewed_at
    where instances.owner = excluded.owner or ${expiry('instances', '$3', '$4')} <= clock_timestamp()
  returning id
)
select coalesce((select array_agg(id) from written), '{}') as ids,
  (select pg_notify('${channel}', '') where exists (
    select from given join written using (id) left join before using (id)
    where before.state is distinct from given.state
      or before.told is distinct from (given.url, given.pid, given.version, coalesce(given.capabilities, '{}'))::text)) as told`

/**
 * Renews the one row of $1 with its load $2, where it lives, is that of this owner ($3) and this connection, and says of itself what it said ($4 and $5 as
 * below). Gives nothing where it is not as it was left; then `renewal` is to say how it is.
 */
export const renewalOfOne = `
update discovery.instances set load = $2, renewed_at = clock_timestamp()
where id = $1 and owner = $3 and backend = pg_backend_pid() and ${expiry('instances', '$4', '$5')} > clock_timestamp()
returning id`

/** Who lives, with the time until its lease runs out; $1 lease, $2 the shorter one. Of each service no more than may be seen and one, those that started first. */
export const reading = `
select id, service, url, pid, version, state, started_at, ready_at, capabilities, load, place,
  extract(epoch from expires_at - clock_timestamp())::float8 * 1000 as expires_ms, extract(epoch from clock_timestamp())::float8 * 1000 as now_ms
from (
  select *, row_number() over (partition by service order by started_at, id) as place
  from (select *, ${expiry('instances', '$1', '$2')} as expires_at from discovery.instances) as rows
  where expires_at > clock_timestamp()
) as live
where place <= ${discoveryBounds.instancesMax} + 1
order by service, id`

export const withdrawal = `
with gone as (delete from discovery.instances where id = any($1) and owner = $2 returning id)
select pg_notify('${channel}', '') where exists (select from gone)`

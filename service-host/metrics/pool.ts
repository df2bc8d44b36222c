import type pg from 'pg'
import { exposeGauge, type MetricsRegistry } from './expose.ts'

/** Use of pools of database connections, by name. */
export function exposePools(registry: MetricsRegistry, pools: ReadonlyMap<string, pg.Pool>): void {
  exposeGauge(registry, { name: 'maru_database_connections', help: 'Open connections of a pool to the database.' }, ['pool', 'state'], () =>
    [...pools].flatMap(([pool, { totalCount, idleCount }]) => [
      [{ pool, state: 'idle' }, idleCount] as const,
      [{ pool, state: 'used' }, totalCount - idleCount] as const,
    ]),
  )
  exposeGauge(registry, { name: 'maru_database_connections_max', help: 'Connections that a pool may open.' }, ['pool'], () =>
    [...pools].map(([pool, { options }]) => [{ pool }, options.max] as const),
  )
  exposeGauge(registry, { name: 'maru_database_waiting', help: 'Who waits for a connection of a pool.' }, ['pool'], () =>
    [...pools].map(([pool, { waitingCount }]) => [{ pool }, waitingCount] as const),
  )
}

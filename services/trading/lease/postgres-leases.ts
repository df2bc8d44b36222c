import type pg from 'pg'
import type { LeaseStore } from './lease.ts'

/** A holder whose connection has ended keeps its lease for so long after it was renewed: time to renew it by another connection. */
const goneAfterMs = 600

/**
 * Leases as rows with an expiry on the database's clock. A holder that dies is told by the end of its connection, long before the lease expires; one that is
 * frozen, or whose machine is gone, by the expiry.
 */
export class PostgresLeases implements LeaseStore {
  readonly #pool: pg.Pool

  /** @param pool of one connection, which nothing else uses: renewals wait for nobody, and it ends with its process alone */
  constructor(pool: pg.Pool) {
    this.#pool = pool
  }

  async take(name: string, holder: string, forMs: number): Promise<boolean> {
    const { rowCount } = await this.#pool.query({
      name: 'take_lease',
      // Who waits only reads: to try the insert would lock the row of the holder.
      text: `insert into trading.leases as l (name, holder, expires_at, backend, backend_of)
       select $1, $2, clock_timestamp() + $3::integer * interval '1 millisecond', pg_backend_pid(), $2
       where not exists (select from trading.leases l where name = $1 and not ${isFree})
       on conflict (name) do update
         set holder = excluded.holder, expires_at = excluded.expires_at, backend = excluded.backend, backend_of = excluded.backend_of
         where ${isFree}`,
      values: [name, holder, forMs, goneAfterMs],
    })
    return rowCount === 1
  }

  async release(name: string, holder: string): Promise<void> {
    await this.#pool.query('delete from trading.leases where name = $1 and holder = $2', [name, holder])
  }
}

const isFree = `(l.holder = $2 or l.expires_at < clock_timestamp()
  or coalesce(l.backend_of = l.holder, false) and l.expires_at < clock_timestamp() + ($3::integer - $4::integer) * interval '1 millisecond'
    and not exists (select from pg_stat_get_activity(l.backend)))`

import type pg from 'pg'
import type { LeaseStore } from './lease.ts'

/** Leases as rows with an expiry on the database's clock. */
export class PostgresLeases implements LeaseStore {
  readonly #pool: pg.Pool

  constructor(pool: pg.Pool) {
    this.#pool = pool
  }

  async take(name: string, holder: string, forMs: number): Promise<boolean> {
    const { rowCount } = await this.#pool.query(
      `insert into trading.leases as l (name, holder, expires_at) values ($1, $2, clock_timestamp() + $3 * interval '1 millisecond')
       on conflict (name) do update set holder = excluded.holder, expires_at = excluded.expires_at
       where l.holder = excluded.holder or l.expires_at < clock_timestamp()`,
      [name, holder, forMs],
    )
    return rowCount === 1
  }

  async release(name: string, holder: string): Promise<void> {
    await this.#pool.query('delete from trading.leases where name = $1 and holder = $2', [name, holder])
  }
}

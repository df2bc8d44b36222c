import type { ForgottenIds } from '@maru/domain/exchange'
import type pg from 'pg'

/** Keeps, beside the snapshots, what is known of client order ids that the state machine has forgotten. */
export interface ForgottenIdStore {
  /** Gives an exchange that was just restored what it had forgotten by then; or later, as more than that does no harm. */
  recall(into: ForgottenIds): Promise<void>
  /** Stores what was forgotten, before the snapshot of the same moment. */
  keep(forgotten: ForgottenIds): Promise<void>
}

export class PostgresForgottenIds implements ForgottenIdStore {
  readonly #pool: pg.Pool
  /** Generations that are stored and do not change any more. */
  #finished = 0

  constructor(pool: pg.Pool) {
    this.#pool = pool
  }

  async recall(into: ForgottenIds): Promise<void> {
    const { rows } = await this.#pool.query<{ ids: Buffer }>('select ids from trading.forgotten_client_order_ids order by generation')
    if (rows.length > 0) into.recall(rows.map(({ ids }) => ids))
  }

  async keep(forgotten: ForgottenIds): Promise<void> {
    // What is not complete must not pass for it.
    if (!forgotten.isComplete) return
    const generations = forgotten.generations()
    for (let generation = this.#finished; generation < generations.length; generation++) {
      const { buffer, byteOffset, byteLength } = generations[generation]!
      await this.#pool.query(
        `insert into trading.forgotten_client_order_ids (generation, ids) values ($1, $2)
         on conflict (generation) do update set ids = excluded.ids`,
        [generation, Buffer.from(buffer, byteOffset, byteLength)],
      )
    }
    this.#finished = Math.max(0, generations.length - 1)
  }
}

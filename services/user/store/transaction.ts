import type pg from 'pg'

/** Runs `work` in one transaction: committed when it resolves, rolled back when it throws. */
export async function inTransaction<T>(pool: pg.Pool, work: (client: pg.PoolClient) => Promise<T>): Promise<T> {
  const client = await pool.connect()
  let broken: Error | undefined
  // A connection lost between two statements shows as an event, which unheard would end the process; the next statement rejects.
  const onError = (error: Error): void => {
    broken = error
  }
  client.on('error', onError)
  try {
    await client.query('begin')
    const result = await work(client)
    await client.query('commit')
    return result
  } catch (error) {
    await client.query('rollback').catch((failure: Error) => {
      // A connection that cannot roll back must not go back to the pool.
      broken = failure
    })
    throw error
  } finally {
    client.off('error', onError)
    client.release(broken)
  }
}

/** Name of the unique constraint that a write ran into, if that is why it failed. */
export function violatedConstraint(error: unknown): string | undefined {
  const fault = error as { code?: string; constraint?: string }
  return fault.code === '23505' ? fault.constraint : undefined
}

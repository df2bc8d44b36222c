import type pg from 'pg'

/**
 * Work on one connection of the pool, where statements that need not wait for each other's answers are sent together. `discard`: the connection does
 * not go back to the pool.
 */
export async function onConnection<T>(pool: pg.Pool, work: (client: pg.PoolClient, discard: () => void) => Promise<T>): Promise<T> {
  const client = await pool.connect()
  let isBroken = false
  const discard = (): void => {
    isBroken = true
  }
  // A connection lost between two statements shows as an event, which unheard would end the process; the next statement rejects.
  client.on('error', discard)
  try {
    return await work(client, discard)
  } finally {
    client.off('error', discard)
    client.release(isBroken)
  }
}

/** Runs `work` in one transaction: committed when it resolves, rolled back when it throws. */
export function inTransaction<T>(pool: pg.Pool, work: (client: pg.PoolClient) => Promise<T>): Promise<T> {
  return onConnection(pool, async (client, discard) => {
    try {
      await client.query('begin')
      const result = await work(client)
      const { command } = await client.query('commit')
      // PostgreSQL answers the commit of a failed transaction with a rollback, which work that swallowed an error would hide.
      if (command !== 'COMMIT') throw new Error('the transaction had failed: an error of a statement was swallowed')
      return result
    } catch (error) {
      // A connection that cannot roll back must not go back to the pool.
      await client.query('rollback').catch(discard)
      throw error
    }
  })
}

/** Several queries that all see the same moment; they change nothing. */
export function inSnapshot<T>(pool: pg.Pool, work: (client: pg.PoolClient) => Promise<T>): Promise<T> {
  return onConnection(pool, async (client, discard) => {
    try {
      // Sent with the first query; were it not done, the others would see moments of their own, and its error is thrown in the end.
      const begun = client.query('begin isolation level repeatable read, read only')
      begun.catch(() => undefined)
      const result = await work(client)
      await begun
      await client.query('commit')
      return result
    } catch (error) {
      await client.query('rollback').catch(discard)
      throw error
    }
  })
}

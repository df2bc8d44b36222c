import { readdir, readFile } from 'node:fs/promises'
import path from 'node:path'
import pg from 'pg'

/**
 * Pages are in memory or on a disk without arms, so one read out of turn costs about as much as the next one. With PostgreSQL's default of 4 a table that
 * has grown since it was last analysed is read from end to end where an index would do.
 */
const planning = '-c random_page_cost=1.1'

/**
 * A pool with the role of one service. `asyncCommit`: a crash of the database may take the last transactions, but only together with their
 * saved positions; for what is derived from the log. Bounded; waits at most `connectionTimeoutMillis` for a connection.
 */
export function createPool(
  connectionString: string,
  options: { applicationName: string; max?: number; asyncCommit?: boolean; onError: (error: Error) => void },
): pg.Pool {
  const pool = new pg.Pool({
    connectionString,
    max: options.max ?? 6,
    application_name: options.applicationName,
    options: options.asyncCommit ? `${planning} -c synchronous_commit=off` : planning,
    connectionTimeoutMillis: 5_000,
    idleTimeoutMillis: 30_000,
    statement_timeout: 30_000,
    // What is asked on one connection before an answer came is sent at once, and so answered with fewer turns of both processes.
    pipeline: true,
  })
  // An idle connection that dies (a restarted database) is replaced by the pool; without a listener it would end the process.
  pool.on('error', options.onError)
  return pool
}

/**
 * Applies the numbered SQL files of `folder` (`0001_name.sql` …) that `schema` has not had yet, each in a transaction, one
 * instance at a time. The schema exists already and is owned by the role.
 */
export async function migrate(pool: pg.Pool, schema: string, folder: string): Promise<void> {
  const files = (await readdir(folder)).filter((file) => /^\d{4}_.*\.sql$/.test(file)).sort()
  const client = await pool.connect()
  try {
    await client.query('select pg_advisory_lock(hashtext($1))', [`migrate:${schema}`])
    await client.query(
      `create table if not exists ${schema}.migrations (name text primary key, applied_at timestamptz not null default now())`,
    )
    const { rows } = await client.query<{ name: string }>(`select name from ${schema}.migrations`)
    const applied = new Set(rows.map((row) => row.name))
    for (const file of files) {
      if (applied.has(file)) continue
      const sql = await readFile(path.join(folder, file), 'utf8')
      try {
        await client.query('begin')
        await client.query(`set local search_path = ${schema}`)
        await client.query(sql)
        await client.query(`insert into ${schema}.migrations (name) values ($1)`, [file])
        await client.query('commit')
      } catch (error) {
        await client.query('rollback')
        throw new Error(`Migration ${schema}/${file} failed: ${(error as Error).message}`, { cause: error })
      }
    }
  } finally {
    await client.query('select pg_advisory_unlock(hashtext($1))', [`migrate:${schema}`]).catch(() => undefined)
    client.release()
  }
}

/** Waits until the database answers; backs off between tries. Throws the last error once `deadlineMs` has passed. */
export async function waitForDatabase(pool: pg.Pool, deadlineMs: number): Promise<void> {
  const end = Date.now() + deadlineMs
  for (let delayMs = 50; ; delayMs = Math.min(delayMs * 2, 1_000)) {
    try {
      await pool.query('select 1')
      return
    } catch (error) {
      if (Date.now() + delayMs > end) throw error
      await new Promise((resolve) => setTimeout(resolve, delayMs))
    }
  }
}

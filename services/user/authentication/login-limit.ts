import { createHash } from 'node:crypto'
import type pg from 'pg'
import { Problem } from '@maru/service-host'

export interface LoginLimit {
  attemptsMax: number
  windowSeconds: number
}

const keyOf = (name: string): Buffer => createHash('sha256').update(name).digest()

/**
 * Counts an attempt before the password is looked at, so that guesses sent at once cannot pass together; shared by all
 * instances. Names nobody has are counted alike, so that the limit tells nothing.
 * @throws Problem rate_limited
 */
export async function countAttempt(pool: pg.Pool, name: string, limit: LoginLimit): Promise<void> {
  const { rows } = await pool.query<{ attempts: number; wait: number }>(
    `insert into login_attempts as l (key, attempts, window_started_at) values ($1, 1, now())
     on conflict (key) do update set
       attempts = case when l.window_started_at < now() - make_interval(secs => $2) then 1 else least(l.attempts + 1, 1000000) end,
       window_started_at = case when l.window_started_at < now() - make_interval(secs => $2) then now() else l.window_started_at end
     returning attempts, ceil(extract(epoch from window_started_at + make_interval(secs => $2) - now()))::int as wait`,
    [keyOf(name), limit.windowSeconds],
  )
  const row = rows[0]
  if (row && row.attempts > limit.attemptsMax)
    throw new Problem('rate_limited', 'Too many attempts for this login; wait as long as Retry-After says.', {
      retryAfterSeconds: Math.max(1, row.wait),
    })
}

export async function forgetAttempts(pool: pg.Pool, name: string): Promise<void> {
  await pool.query('delete from login_attempts where key = $1', [keyOf(name)])
}

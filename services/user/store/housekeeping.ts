import type { Logger } from '@maru/service-host'
import type pg from 'pg'

const everyMs = 10 * 60_000
const rowsAtOnceMax = 10_000

/** What is over is dropped after a while, so that no table grows without end; the audit is kept. */
const sweeps = [
  `delete from login_attempts where key in (select key from login_attempts where window_started_at < now() - interval '2 days' limit $1)`,
  `delete from sessions where id in (select id from sessions where expires_at < now() - interval '30 days' limit $1)`,
  `delete from sessions where id in (select id from sessions where ended_at < now() - interval '30 days' limit $1)`,
  `delete from api_keys where id in (select id from api_keys where revoked_at < now() - interval '30 days' limit $1)`,
  `delete from api_keys where id in (select id from api_keys where expires_at < now() - interval '30 days' limit $1)`,
  `delete from outbox where sequence in (select sequence from outbox where sent_at < now() - interval '7 days' limit $1)`,
]

/** Sweeps now and every ten minutes until `signal` aborts; a failed sweep is tried again at the next turn. */
export function startHousekeeping(pool: pg.Pool, logger: Logger, signal: AbortSignal): void {
  const sweep = async (): Promise<void> => {
    try {
      for (const sql of sweeps) await pool.query(sql, [rowsAtOnceMax])
    } catch (error) {
      if (!signal.aborted) logger.warn({ err: error }, 'housekeeping failed')
    }
  }
  void sweep()
  const timer = setInterval(() => void sweep(), everyMs)
  timer.unref()
  signal.addEventListener('abort', () => clearInterval(timer), { once: true })
}

import type pg from 'pg'
import { topics } from '@maru/contracts'
import { analyticsEndpoints, type Performance } from '@maru/contracts/http/analytics'
import type { EventLog } from '@maru/event-log'
import { inSnapshot, Problem, type HttpService, type Identity } from '@maru/service-host'
import type { AnalyticsConfig } from './config.ts'
import { equityPoints } from './performance/equity.ts'
import { performanceOf } from './performance/performance.ts'
import { resolveInterval, resolvePeriod, type Period } from './performance/period.ts'
import { catchUp, type Reader } from './performance/reading-state.ts'
import { findAccount, findProgress } from './store/history.ts'

const dayMs = 86_400_000

interface Parts {
  pool: pg.Pool
  log: EventLog
  reader: Reader
  config: AnalyticsConfig
  shutdown: AbortSignal
}

/** What the figures of one answer are taken from: one moment of the database, one account, one end of time. */
interface View {
  client: pg.PoolClient
  kept: Period
  asOf: Performance['as_of']
}

/** Serves the endpoints of the contract. */
export function serveAnalytics(http: HttpService, parts: Parts): void {
  http.serve(analyticsEndpoints.equity, async ({ params, query, identity }) => {
    allow(identity, params.user_id)
    return look(parts, params.user_id, async ({ client, kept, asOf }) => {
      const period = resolvePeriod(query, kept)
      const interval = resolveInterval(query.interval, period)
      return { items: await equityPoints(client, params.user_id, period, interval), next_cursor: null, interval, as_of: asOf }
    })
  })
  http.serve(analyticsEndpoints.performance, async ({ params, query, identity }) => {
    allow(identity, params.user_id)
    return look(parts, params.user_id, async ({ client, kept, asOf }) => {
      const { from, to } = resolvePeriod(query, kept)
      // A time outside the life of the account holds nothing; its figures are those of one moment.
      const period = from > to ? { from: to, to } : { from, to }
      return { ...(await performanceOf(client, params.user_id, period)), as_of: asOf }
    })
  })
}

/** Before anything is looked up, so that nobody learns which accounts exist. */
function allow(identity: Identity, userId: string): void {
  if (identity.userId !== userId && !identity.isOperator) throw new Problem('forbidden', 'These figures belong to another user.')
}

async function look<T>({ pool, log, reader, config, shutdown }: Parts, userId: string, work: (view: View) => Promise<T>): Promise<T> {
  const askedAt = Date.now()
  const isCaughtUp = await catchUp(log, topics.tradingEvents, reader, shutdown)
  return inSnapshot(pool, async (client) => {
    const account = await findAccount(client, userId)
    if (account === undefined) throw new Problem('account_not_found')
    const readTo = isCaughtUp ? askedAt : ((await findProgress(client, topics.tradingEvents)) ?? account.openedAt)
    // The clock of another machine may be a moment ahead of this one, and so the newest event; it counts all the same.
    const kept = { from: Math.max(account.openedAt, askedAt - config.historyDays * dayMs), to: Math.max(askedAt, account.lastEventAt) }
    return work({ client, kept, asOf: { time: new Date(readTo).toISOString(), sequence: account.sequence } })
  })
}

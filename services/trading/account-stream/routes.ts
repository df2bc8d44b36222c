import { tradingEndpoints } from '@maru/contracts/http/trading'
import { pageOf, Problem, type HttpService } from '@maru/service-host'
import type { Accounts } from '../accounts.ts'
import type { History } from '../history/history.ts'
import type { Replica } from '../replica/replica.ts'
import { balanceData } from '../wire/wire.ts'
import { streamEvents, type StreamPlaces } from './server-sent-events.ts'

const historyWaitMs = 2_000

export function serveAccountStream(options: {
  http: HttpService
  replica: Replica
  accounts: Accounts
  history: History
  places: StreamPlaces
  shutdown: AbortSignal
}): void {
  const { http, replica, accounts, history } = options
  const { exchange } = replica

  http.serve(tradingEndpoints.balances, async ({ params, query, identity }) => {
    const account = await accounts.of(params.user_id, identity)
    const items = exchange.assets.map((_, asset) => balanceData(exchange, account, asset))
    const shown = items.filter((balance) => balance.total !== '0' || balance.asset === 'USDT')
    return pageOf(shown, query, ({ asset }) => asset)
  })

  http.serve(tradingEndpoints.ledger, async ({ params, query, identity }) => {
    const account = await accounts.of(params.user_id, identity)
    await history.reached(params.user_id, exchange.accountSequence(account), historyWaitMs)
    const limit = query.limit ?? 100
    const rows = await history.ledger(params.user_id, { asset: query.asset, limit, before: parseLedgerCursor(query.cursor) })
    const last = rows.at(-1)
    return {
      items: rows.map((row) => ({
        id: `${row.sequence}-${row.leg}`,
        asset: row.asset,
        amount: row.amount,
        reason: row.reason,
        reference: row.reference,
        event_sequence: row.sequence,
        timestamp: row.occurred_at,
      })),
      next_cursor: last && rows.length === limit ? `${last.sequence}-${last.leg}` : null,
    }
  })

  http.serve(tradingEndpoints.accountEvents, async ({ params, query, identity, request, stream }) => {
    const account = await accounts.of(params.user_id, identity)
    const from = query.cursor === undefined ? (query.after ?? 0) : Number(query.cursor)
    if (stream) {
      const resume = request.headers['last-event-id']
      const after = typeof resume === 'string' && /^\d{1,15}$/.test(resume) ? Number(resume) : from
      return (await streamEvents({ ...options, userId: params.user_id, account, after, stream })) as never
    }
    await history.reached(params.user_id, exchange.accountSequence(account), historyWaitMs)
    const limit = query.limit ?? 100
    const items = await history.events(params.user_id, from, limit)
    return { items, next_cursor: items.length === limit ? String(items.at(-1)!.sequence) : null }
  })
}

function parseLedgerCursor(cursor: string | undefined): { sequence: number; leg: number } | undefined {
  if (cursor === undefined) return undefined
  const parts = /^(\d{1,15})-(\d{1,4})$/.exec(cursor)
  if (!parts)
    throw new Problem('invalid_request', 'cursor: is not one of ours', {
      errors: [{ path: 'cursor', message: 'take it from next_cursor' }],
    })
  return { sequence: Number(parts[1]), leg: Number(parts[2]) }
}

/** What of a request decides where it may go, and for how long when there is too much. */
export interface Demand {
  readonly service: string
  readonly method: string
  /** Within the service; with its query. */
  readonly path: string
  readonly body: Buffer | null
  /** Who sends it, where that is known. */
  readonly user?: string | undefined
  /** Found when it is first needed: as long as there is room for all, nobody asks. */
  priority?: Priority
}

/**
 * In the order in which they are given up when there is too much, the last first: what takes risk away (cancels, reduce-only orders, switches that stop
 * trading), what tells a user where they stand (own orders, positions, balances, logging in), what adds risk (new orders), the
 * market, and figures, mail and pages.
 */
export const priorities = ['protection', 'account', 'order', 'market', 'background'] as const
export type Priority = (typeof priorities)[number]

/** The share of a bound that each may fill. Whoever comes first in the list always finds room that nobody after it could take. */
export const shares: Readonly<Record<Priority, number>> = { protection: 1, account: 0.95, order: 0.85, market: 0.75, background: 0.7 }

/** As long as no more than this is taken, there is room for every kind. */
export const fullShare = shares.background

export function shareOf(demand: Demand): number {
  return shares[(demand.priority ??= priorityOf(demand))]
}

const reduceOnly = Buffer.from('"reduce_only"')
const isTrue = /^\s*:\s*true\b/

/** The kind of a request, by its service, method, path and, for orders, whether they say that they only reduce. */
export function priorityOf({ service, method, path, body }: Demand): Priority {
  if (service === 'user') return 'account'
  if (service === 'market-data') return 'market'
  if (service !== 'trading') return 'background'
  if (method === 'GET' || method === 'HEAD') return path.startsWith('/markets') ? 'market' : 'account'
  if (method === 'DELETE') return 'protection'
  if (method === 'PUT') return 'protection'
  if (method === 'POST') {
    if (path.startsWith('/kill-switch') || path.startsWith('/orders/cancel-all-after')) return 'protection'
    if (path.startsWith('/orders') && !path.startsWith('/orders/preview') && saysReduceOnly(body)) return 'protection'
    if (path.startsWith('/accounts') || path.startsWith('/transfers') || path.startsWith('/insurance')) return 'account'
  }
  return 'order'
}

/** Whoever says so and means it not is refused by the exchange: nothing is gained by a lie. */
function saysReduceOnly(body: Buffer | null): boolean {
  if (!body) return false
  // Of two the last counts, as it does where the order is read.
  const at = body.lastIndexOf(reduceOnly)
  return at >= 0 && isTrue.test(body.toString('latin1', at + reduceOnly.length, at + reduceOnly.length + 16))
}

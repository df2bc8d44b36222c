import { setTimeout as sleep } from 'node:timers/promises'
import { getJson } from './http.ts'

/**
 * Waits until every market has its first reference price and, with `houseLiquidity`, quotes on both sides, so that who reads the ready line
 * can trade at once. After `patienceMs` it goes on all the same: a market whose price is missing refuses orders with a code of its own.
 */
export async function untilMarketsOpen(gateway: string, houseLiquidity: boolean, signal: AbortSignal, patienceMs = 8_000): Promise<void> {
  for (const end = Date.now() + patienceMs; Date.now() < end && !signal.aborted; await sleep(50)) {
    if (await marketsOpen(`${gateway}/api/trading/markets`, houseLiquidity).catch(() => false)) return
  }
}

async function marketsOpen(url: string, houseLiquidity: boolean): Promise<boolean> {
  const { status, body } = await getJson(url, 2_000)
  const markets = (body as { items?: { symbol: string; mark_price: string | null }[] } | undefined)?.items
  if (status !== 200 || markets === undefined || markets.length === 0) return false
  if (markets.some((market) => market.mark_price === null)) return false
  if (!houseLiquidity) return true
  const books = await Promise.all(markets.map(({ symbol }) => getJson(`${url}/${symbol.replace('/', '-')}/book?depth=1`, 2_000)))
  return books.every(({ body: book }) => {
    const { bids, asks } = (book ?? {}) as { bids?: unknown[]; asks?: unknown[] }
    return (bids?.length ?? 0) > 0 && (asks?.length ?? 0) > 0
  })
}

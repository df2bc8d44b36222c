import { setTimeout as sleep } from 'node:timers/promises'
import { getJson } from './http.ts'

/** An instance that has just become ready may still be telling where its prices come from. */
const patienceMs = 5_000

/**
 * What the ready line must say about prices that are not of real markets; empty while they are. `gateway` is its URL, `setting` the value
 * of MARU_MARKET_DATA. When the market does not tell in time that is said too: silence would claim that prices are real.
 */
export async function marketNotice(gateway: string, setting: string): Promise<string> {
  for (const end = Date.now() + patienceMs; ; await sleep(50)) {
    const answer = await getJson(`${gateway}/api/market-data/sources`, patienceMs).catch(() => undefined)
    const { mode } = (answer?.status === 200 ? answer.body : {}) as { mode?: unknown }
    if (mode === 'live') return ''
    if (mode === 'replay') return ' (REPLAY: prices are of recorded data)'
    if (mode === 'synthetic')
      return setting === ''
        ? ' (SYNTHETIC MARKET: no exchange could be reached, so prices are invented)'
        : ' (SYNTHETIC MARKET: prices are invented, as MARU_MARKET_DATA asks)'
    if (Date.now() >= end) return ' (where prices come from is not known yet)'
  }
}

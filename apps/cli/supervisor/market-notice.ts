import { getJson } from './http.ts'

/**
 * What the ready line must say about prices that are not of real markets; empty while they are. `gateway` is its URL. When the
 * market cannot be asked, that is said too: silence would claim that prices are real.
 */
export async function marketNotice(gateway: string): Promise<string> {
  const answer = await getJson(`${gateway}/api/market-data/sources`, 5_000).catch(() => undefined)
  const { mode, reason } = (answer?.status === 200 ? answer.body : {}) as { mode?: unknown; reason?: unknown }
  if (mode === 'live') return ''
  if (mode === 'synthetic') return ` (SYNTHETIC MARKET: prices are invented${typeof reason === 'string' && reason !== '' ? `; ${reason}` : ''})`
  if (mode === 'replay') return ' (REPLAY: prices are of recorded data)'
  return ' (the source of prices is not known yet)'
}

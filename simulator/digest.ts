import type { Exchange } from '@maru/domain/exchange'

/** The outcome of the command just applied, its number and its time, as one number: equal on replicas that agree. */
export function outcomeDigest(exchange: Exchange): number {
  const { data, length } = exchange.outcome
  let digest = mix(mix(0x811c9dc5, exchange.commandCount), exchange.timeMs)
  for (let at = 0; at < length; at++) digest = mix(digest, data[at]!)
  return digest
}

function mix(digest: number, value: number): number {
  const high = Math.floor(value / 4_294_967_296)
  const mixed = Math.imul(digest ^ (value | 0), 0x01000193)
  return Math.imul((mixed ^ (mixed >>> 15)) + high, 0x5bd1e995) ^ (mixed >>> 13)
}

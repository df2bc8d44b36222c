import { hash } from 'node:crypto'

/** What the first event of an account names as the hash before it. */
export const genesisHash = '0'.repeat(64)

export interface ChainedEvent {
  sequence: number
  type: string
  timestamp: string
  data: unknown
}

/**
 * SHA-256, hex, over `previous hash, sequence, type, timestamp, data`, one a line, where data is JSON with sorted keys and no
 * spaces (given apart where the caller has it). Anyone who holds a stream can check that nothing in it was changed, dropped or put in between.
 */
export function chainHash(previousHash: string, event: ChainedEvent, data = canonicalJson(event.data)): string {
  return hash('sha256', `${previousHash}\n${event.sequence}\n${event.type}\n${event.timestamp}\n${data}`)
}

/** JSON with object keys in code-unit order. The data holds texts, booleans, null, lists and objects; amounts are texts. */
export function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`
  if (value !== null && typeof value === 'object') {
    const entries = Object.entries(value).filter(([, member]) => member !== undefined)
    entries.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
    return `{${entries.map(([key, member]) => `${JSON.stringify(key)}:${canonicalJson(member)}`).join(',')}}`
  }
  return JSON.stringify(value)
}

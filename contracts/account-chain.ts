/**
 * The chain of an account's stream: each event names the hash of the one before it, and its own hash is the SHA-256, in hexadecimal, of `chainText`. Anyone who
 * holds a stream can check that nothing in it was changed, dropped or put in between. Pure text here; whoever uses it brings the SHA-256.
 */

/** What the first event of an account names as the hash before it. */
export const genesisHash = '0'.repeat(64)

export interface ChainedEvent {
  sequence: number
  type: string
  timestamp: string
  data: unknown
}

/** Previous hash, sequence, type, timestamp and data, one a line, where data is canonical JSON. */
export function chainText(previousHash: string, event: ChainedEvent): string {
  return chainHead(previousHash, event) + canonicalJson(event.data)
}

/** What stands before the data. */
export function chainHead(previousHash: string, event: Omit<ChainedEvent, 'data'>): string {
  return `${previousHash}\n${event.sequence}\n${event.type}\n${event.timestamp}\n`
}

/** JSON without spaces, object keys in code-unit order. The data holds texts, booleans, null, lists and objects; amounts are texts. */
export function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`
  if (value !== null && typeof value === 'object') {
    const entries = Object.entries(value).filter(([, member]) => member !== undefined)
    entries.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
    return `{${entries.map(([key, member]) => `${JSON.stringify(key)}:${canonicalJson(member)}`).join(',')}}`
  }
  return JSON.stringify(value)
}

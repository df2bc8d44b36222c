import { hash } from 'node:crypto'
import { chainText, genesisHash, type ChainedEvent } from '@maru/contracts/account-chain'
import { JsonTextError, jsonValues } from './json-values.ts'

interface StreamEvent extends ChainedEvent {
  hash: string
  previous_hash: string
}

export type StreamVerdict =
  | { isGood: true; events: number; first: number; last: number; lastHash: string; previousHash: string }
  /** `sequence`: of the first event that is not right; undefined where none can be named. */
  | { isGood: false; sequence: number | undefined; fault: string }

/**
 * Checks an account's stream as `GET /accounts/{user_id}/events` gives it: pages, lists of events or events, one after another. From its first event on the
 * numbers have no gap, each event names the hash of the one before, and has the hash that follows from what it says.
 */
export function verifyAccountStream(text: string): StreamVerdict {
  let first: StreamEvent | undefined
  let previous: StreamEvent | undefined
  let events = 0
  try {
    for (const value of jsonValues(text)) {
      for (const found of eventsOf(value)) {
        const event = asEvent(found)
        if (!event) {
          const after = previous ? `what comes after event ${previous.sequence}` : 'what comes first'
          return { isGood: false, sequence: sequenceOf(found) ?? (previous && previous.sequence + 1), fault: `${after} is no event` }
        }
        const fault = faultOf(event, previous)
        if (fault !== undefined) return { isGood: false, sequence: event.sequence, fault }
        first ??= event
        previous = event
        events += 1
      }
    }
  } catch (error) {
    if (!(error instanceof JsonTextError)) throw error
    return { isGood: false, sequence: previous && previous.sequence + 1, fault: error.message }
  }
  if (!first || !previous) return { isGood: false, sequence: undefined, fault: 'there is no event in it' }
  return {
    isGood: true,
    events,
    first: first.sequence,
    last: previous.sequence,
    lastHash: previous.hash,
    previousHash: first.previous_hash,
  }
}

function faultOf(event: StreamEvent, previous: StreamEvent | undefined): string | undefined {
  if (previous && event.sequence !== previous.sequence + 1) {
    const missing = event.sequence - previous.sequence - 1
    if (missing < 0) return `it comes after event ${previous.sequence}`
    return missing === 1 ? `event ${event.sequence - 1} before it is missing` : `${missing} events before it are missing`
  }
  if (!previous && event.sequence === 1 && event.previous_hash !== genesisHash) return 'it is the first, but names a hash before it'
  if (previous && event.previous_hash !== previous.hash) return `its previous_hash is not the hash of event ${previous.sequence}`
  if (hash('sha256', chainText(event.previous_hash, event)) !== event.hash) return 'its hash is not that of what it says'
  return undefined
}

/** A page is an object with `items`, of which there may be none. */
function eventsOf(value: unknown): readonly unknown[] {
  if (Array.isArray(value)) return value.flatMap((item: unknown) => (isPage(item) ? item.items : [item]))
  return isPage(value) ? value.items : [value]
}

function isPage(value: unknown): value is { items: unknown[] } {
  return typeof value === 'object' && value !== null && 'items' in value && Array.isArray(value.items)
}

function asEvent(value: unknown): StreamEvent | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  const event = value as Partial<Record<keyof StreamEvent, unknown>>
  const texts = [event.type, event.timestamp, event.hash, event.previous_hash]
  const isEvent = sequenceOf(value) !== undefined && texts.every((text) => typeof text === 'string') && event.data !== undefined
  return isEvent ? (value as StreamEvent) : undefined
}

function sequenceOf(value: unknown): number | undefined {
  const sequence = (value as { sequence?: unknown } | null | undefined)?.sequence
  return Number.isSafeInteger(sequence) && (sequence as number) > 0 ? (sequence as number) : undefined
}

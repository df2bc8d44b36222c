import { pause } from '@maru/event-log'
import type { History } from '../history/history.ts'
import type { StoredEvent } from '../history/runs.ts'
import type { Replica } from '../replica/replica.ts'

const pageMax = 200
const pollMs = 25

/** The account's events after number `after`, page by page, and then as they come, until `signal` aborts. An empty page says that time passes. */
export async function* followAccount(
  parts: { replica: Replica; history: History; userId: string; account: number; signal: AbortSignal },
  after: number,
): AsyncGenerator<readonly StoredEvent[], void, undefined> {
  const { replica, history, userId, account, signal } = parts
  let sent = after
  while (!signal.aborted) {
    const events = replica.exchange.accountSequence(account) > sent ? await history.events(userId, sent, pageMax) : []
    sent = events.at(-1)?.sequence ?? sent
    yield events
    if (events.length === 0) await pause(pollMs, signal)
  }
}

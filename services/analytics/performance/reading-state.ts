import type { Consumer, EventLog } from '@maru/event-log'

/** The part of a consumer that tells how far it is. */
export type Reader = Pick<Consumer, 'waitUntil'>

/** A question waits at most this long for the events that were there when it came. */
const catchUpMaxMs = 2_000

/**
 * Waits until everything that was in the topic when the question came is counted in, so that who has just traded sees it. Returns
 * whether it is; false after `catchUpMaxMs`, or when the log cannot say.
 */
export async function catchUp(log: EventLog, topic: string, reader: Reader, signal: AbortSignal): Promise<boolean> {
  const limit = AbortSignal.any([signal, AbortSignal.timeout(catchUpMaxMs)])
  const aborted = new Promise<false>((resolve) => {
    if (limit.aborted) resolve(false)
    else limit.addEventListener('abort', () => resolve(false), { once: true })
  })
  return Promise.race([aborted, reached(log, topic, reader, limit)])
}

async function reached(log: EventLog, topic: string, reader: Reader, signal: AbortSignal): Promise<boolean> {
  try {
    await reader.waitUntil(await log.head(topic))
    return !signal.aborted
  } catch {
    // The log is away for the moment; the answer then says how old it is.
    return false
  }
}

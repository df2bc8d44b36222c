import { once } from 'node:events'
import { Problem, type CallStream, type HttpService } from '@maru/service-host'
import type { History } from '../history/history.ts'
import type { Replica } from '../replica/replica.ts'
import { followAccount } from './follow.ts'

/** How many streams an instance serves at once; one more is refused with `overloaded`. */
export class StreamPlaces {
  #free: number
  constructor(max: number) {
    this.#free = max
  }
  take(): () => void {
    if (this.#free === 0) throw new Problem('overloaded', 'This instance serves as many event streams as it can.')
    this.#free -= 1
    let taken = true
    return () => {
      if (taken) this.#free += 1
      taken = false
    }
  }
}

const keepAliveMs = 15_000
/** A reader that takes nothing for so long is dropped; it resumes with its last number. */
const stuckReaderMs = 10_000

/** How long a browser waits before it connects again: its own 3 s and more are for servers that have only one instance. */
const retryMs = 1_000

interface StreamOptions {
  http: HttpService
  replica: Replica
  history: History
  places: StreamPlaces
  shutdown: AbortSignal
  userId: string
  account: number
  after: number
  stream: CallStream
}

/**
 * The account's events after `after` and then as they come, as Server-Sent Events whose id is the event's number. When the service stops the stream ends whole, as the end of its body, and its reader
 * comes back with its last number.
 */
export async function streamEvents({
  http,
  replica,
  history,
  places,
  shutdown,
  userId,
  account,
  after,
  stream: { request, reply },
}: StreamOptions): Promise<CallStream['reply']> {
  const release = places.take()
  const closed = new AbortController()
  const signal = AbortSignal.any([shutdown, closed.signal])
  request.raw.on('close', () => closed.abort())
  reply.raw.on('close', () => closed.abort())
  const stay = http.onLeaving(() => closed.abort())
  reply.hijack()
  reply.raw.writeHead(200, {
    'content-type': 'text/event-stream',
    'cache-control': 'no-store',
    'x-request-id': request.id,
    'x-accel-buffering': 'no',
  })
  try {
    reply.raw.write(`retry: ${retryMs}\n\n`)
    let lastWriteMs = performance.now()
    for await (const events of followAccount({ replica, history, userId, account, signal }, after)) {
      for (const event of events) {
        const isTaken = reply.raw.write(`id: ${event.sequence}\nevent: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`)
        lastWriteMs = performance.now()
        if (!isTaken) await once(reply.raw, 'drain', { signal: AbortSignal.any([signal, AbortSignal.timeout(stuckReaderMs)]) })
      }
      if (performance.now() - lastWriteMs <= keepAliveMs) continue
      reply.raw.write(': alive\n\n')
      lastWriteMs = performance.now()
    }
  } catch {
    // The reader went away or stopped taking; it comes back with its last number.
  } finally {
    stay()
    release()
    reply.raw.end()
  }
  return reply
}

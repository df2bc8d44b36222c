import { boundsOf, checkOffset } from './bounds.ts'
import type { Hints } from './hints.ts'
import type { FollowOptions, LogRecord, ReadBounds } from './port.ts'

const defaultPollMs = 200

/**
 * The waiting reader that both stores share: gives out page after page, none of them empty, and waits at the end for a hint or the
 * poll. `read` answers within its bounds, retries what can be retried, and rejects when `signal` aborts.
 */
export async function* follow(
  source: { read: (after: number, bounds: ReadBounds, signal: AbortSignal) => Promise<LogRecord[]>; hints: Hints; topic: string },
  after: number,
  options: FollowOptions,
): AsyncGenerator<LogRecord[], void, undefined> {
  checkOffset(after)
  const { signal, pollMs = defaultPollMs } = options
  const bounds = boundsOf(options)
  let position = after
  using listener = source.hints.listen(source.topic, () => position)
  while (!signal.aborted) {
    listener.reset()
    let records: LogRecord[]
    try {
      records = await source.read(position, bounds, signal)
    } catch (error) {
      if (signal.aborted) return
      throw error
    }
    const last = records.at(-1)
    if (!last) {
      await listener.wait(pollMs, signal)
      continue
    }
    position = last.offset
    yield records
    const bytes = records.reduce((sum, record) => sum + record.body.byteLength, 0)
    // A page that was not full ended at the end of the topic: only news since then is worth another look.
    if (records.length < bounds.recordsMax && bytes < bounds.bytesMax) await listener.wait(pollMs, signal)
  }
}

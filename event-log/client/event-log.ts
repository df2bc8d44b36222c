import { checkRecord } from '../bounds.ts'
import type { Clock } from '../clock.ts'
import { follow } from '../follow.ts'
import type { Hints } from '../hints.ts'
import { LogClosedError, type EventLog, type LogObserver } from '../port.ts'
import { Appender } from './appender.ts'
import { Questions } from './questions.ts'
import type { LogSession } from './session.ts'

interface SessionLogOptions {
  /** Appends have a session of their own: a long read must not hold them up. */
  appends: LogSession
  questions: LogSession
  hints: Hints
  clock: Clock
  /** Hints for a topic are wanted from now on. Throws where there can be no such topic. */
  onFollow?: (topic: string) => void
  /** This handle has appended. */
  onAppended?: (topic: string, offset: number) => void
  onClose?: () => Promise<unknown>
  observer?: LogObserver | undefined
}

/**
 * The event log over sessions that may be lost. A lost connection or a restarted server is waited for: appends and `follow` until closed, other
 * questions for 10 s. Errors that do not pass are thrown as the session gives them. A body must not be changed until its append has resolved.
 */
export function openSessionLog({ hints, clock, ...options }: SessionLogOptions): EventLog {
  const onAppended = (topic: string, offset: number): void => {
    hints.give(topic, offset)
    options.onAppended?.(topic, offset)
  }
  const appender = new Appender(options.appends, clock, onAppended, options.observer)
  const questions = new Questions(options.questions, clock)
  const closing = new AbortController()

  return {
    observer: options.observer,
    async append(topic, body, identity) {
      checkRecord(body, identity)
      return appender.append({ topic, body, ...identity })
    },
    read: (topic, after, bounds) => questions.read(topic, after, bounds),
    async *follow(topic, after, followOptions) {
      options.onFollow?.(topic)
      const signal = AbortSignal.any([followOptions.signal, closing.signal])
      const read: Parameters<typeof follow>[0]['read'] = (from, bounds, abort) =>
        questions.read(topic, from, bounds, { forMs: Number.POSITIVE_INFINITY, signal: abort })
      yield* follow({ read, hints, topic }, after, { ...followOptions, signal })
      if (closing.signal.aborted && !followOptions.signal.aborted) throw new LogClosedError('the log was closed')
    },
    async head(topic) {
      const head = await questions.head(topic)
      // Who asks is about to wait for a reader to get there, who may not have heard of it yet.
      hints.give(topic, head)
      return head
    },
    last: (topic) => questions.last(topic),
    firstKept: (topic) => questions.firstKept(topic),
    trim: (topic, before) => questions.trim(topic, before),
    async exclusiveWriter(topic, name) {
      if (name === '' || Buffer.byteLength(name) > 100) throw new RangeError('a writer has a name of 1 to 100 bytes')
      const epoch = await questions.openWriter(topic, name)
      const producer = `${name}#${epoch}`
      let sequence = 0
      return {
        epoch,
        async append(body) {
          checkRecord(body, { producer, sequence })
          return appender.append({ topic, body, producer, sequence: sequence++, writer: { name, epoch } })
        },
      }
    },
    hint: (topic, offset) => hints.give(topic, offset),
    async [Symbol.asyncDispose]() {
      closing.abort()
      await appender.close()
      await Promise.all([questions.close(), options.onClose?.()])
    },
  }
}

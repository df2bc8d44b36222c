import type { EventLog } from '@maru/event-log'
import { exposeCounter, exposeGauge, exposeHistogram, type Labels, type MetricsRegistry, type Sample } from './expose.ts'
import { byteBounds, commitBounds, type LogFigures, type ReaderTally } from './log-meter.ts'

/** Shows what meters counted, those of other threads of the process included. `heads` also asks the log where its topics end. */
export function exposeLog(registry: MetricsRegistry, figures: () => readonly LogFigures[], heads: LogHeads): void {
  const topics = () => figures().flatMap((meter) => [...meter.topics])
  const readers = () => figures().flatMap((meter) => [...meter.readers.values()])
  const ofReader = ({ reader, topic }: ReaderTally): Labels => ({ reader, topic })
  exposeCounter(registry, { name: 'maru_log_records_appended_total', help: 'Records made durable in the log.' }, ['topic'], () =>
    topics().map(([topic, { records }]) => [{ topic }, records]),
  )
  exposeCounter(
    registry,
    { name: 'maru_log_append_retries_total', help: 'Appends tried again, as the database did not answer.' },
    ['topic'],
    () => topics().map(([topic, { retries }]) => [{ topic }, retries]),
  )
  exposeHistogram(
    registry,
    { name: 'maru_log_commit_duration_seconds', help: 'Time in which a record became durable, tries that failed included.' },
    ['topic'],
    commitBounds,
    () => topics().map(([topic, { commits }]) => [{ topic }, commits]),
  )
  exposeHistogram(registry, { name: 'maru_log_record_size_bytes', help: 'Length of records appended.' }, ['topic'], byteBounds, () =>
    topics().map(([topic, { sizes }]) => [{ topic }, sizes]),
  )
  exposeCounter(registry, { name: 'maru_log_records_read_total', help: 'Records that a reader has applied.' }, ['reader', 'topic'], () =>
    readers().map((tally) => [ofReader(tally), tally.records]),
  )
  exposeCounter(
    registry,
    { name: 'maru_log_reader_failures_total', help: 'Records that could not be applied: retried, or set apart for good.' },
    ['reader', 'topic', 'outcome'],
    () =>
      readers().flatMap((tally): Sample[] => [
        [{ ...ofReader(tally), outcome: 'retried' }, tally.retried],
        [{ ...ofReader(tally), outcome: 'set_apart' }, tally.setApart],
      ]),
  )
  exposeHistogram(
    registry,
    { name: 'maru_log_apply_duration_seconds', help: 'Time of one transaction in which a reader applies records and saves its position.' },
    ['reader', 'topic'],
    commitBounds,
    () => readers().map((tally) => [ofReader(tally), tally.applies]),
  )
  exposeGauge(registry, { name: 'maru_log_reader_position', help: 'Offset that a reader has saved.' }, ['reader', 'topic'], () =>
    readers().map((tally) => [ofReader(tally), tally.position]),
  )
  const lag = async (): Promise<{ tally: ReaderTally; records: number; seconds: number }[]> => {
    const all = readers()
    await Promise.all([...new Set(all.map(({ topic }) => topic))].map((topic) => heads.look(topic)))
    return all.flatMap((tally) => {
      const behind = heads.behind(tally.topic, tally.position)
      return behind ? [{ tally, ...behind }] : []
    })
  }
  exposeGauge(
    registry,
    { name: 'maru_log_reader_lag_records', help: 'Records of the topic that a reader has not applied yet.' },
    ['reader', 'topic'],
    async () => (await lag()).map(({ tally, records }) => [ofReader(tally), records]),
  )
  exposeGauge(
    registry,
    {
      name: 'maru_log_reader_lag_seconds',
      help: 'For how long, as seen by scrapes, a record has been waiting for the reader; 0 where none has.',
    },
    ['reader', 'topic'],
    async () => (await lag()).map(({ tally, seconds }) => [ofReader(tally), seconds]),
  )
}

/** A scrape waits this long for the log to say where a topic ends; then what it last said stands. */
const headWaitMs = 500
const headFreshMs = 250
const samplesMax = 240

/** Where topics ended at the times of scrapes, from which follows how long a reader has been behind. */
export class LogHeads {
  readonly #log: Pick<EventLog, 'head'>
  readonly #byTopic = new Map<string, { samples: { head: number; atMs: number }[]; asking: Promise<void> | undefined }>()

  constructor(log: Pick<EventLog, 'head'>) {
    this.#log = log
  }

  /** Asks unless it has just been asked; never for longer than a scrape may take, and never rejects. */
  async look(topic: string): Promise<void> {
    let known = this.#byTopic.get(topic)
    if (!known) this.#byTopic.set(topic, (known = { samples: [], asking: undefined }))
    const { samples } = known
    if (performance.now() - (samples.at(-1)?.atMs ?? -Infinity) < headFreshMs) return
    const ask = known
    known.asking ??= this.#log
      .head(topic)
      .then(
        (head) => {
          samples.push({ head, atMs: performance.now() })
          if (samples.length > samplesMax) samples.shift()
        },
        () => undefined, // The database is away, which other metrics tell.
      )
      .finally(() => (ask.asking = undefined))
    let timer: NodeJS.Timeout | undefined
    await Promise.race([known.asking, new Promise<void>((resolve) => (timer = setTimeout(resolve, headWaitMs)))])
    clearTimeout(timer)
  }

  /** How far `position` is behind; undefined while the end of the topic is unknown. */
  behind(topic: string, position: number): { records: number; seconds: number } | undefined {
    const samples = this.#byTopic.get(topic)?.samples ?? []
    const newest = samples.at(-1)
    if (!newest) return undefined
    // What ended the topic at an earlier scrape, and is not applied yet, has been waiting since then at least.
    const waiting = samples.find(({ head }) => head > position)
    const nowMs = performance.now()
    return { records: Math.max(0, newest.head - position), seconds: waiting ? (nowMs - waiting.atMs) / 1_000 : 0 }
  }
}

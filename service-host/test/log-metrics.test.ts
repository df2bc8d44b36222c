import { consumeInto, createMemoryEventLog, type PositionStore } from '@maru/event-log'
import { Registry } from 'prom-client'
import { expect, test } from 'vitest'
import { CountTally, exposeLog, LogHeads, LogMeter } from '../metrics.ts'

const topic = 'trading-events'
const record = Buffer.from('[1]')

/** Positions of one reader, in memory. */
function positions(): PositionStore<undefined> {
  let saved = 0
  return {
    install: async () => undefined,
    load: async () => saved,
    async advance(from, to, work) {
      if (saved !== from) return false
      await work(undefined)
      saved = to
      return true
    },
    setApart: async () => 'done',
  }
}

test('a reader is shown with its position, how much it has not applied, and since when', async () => {
  const meter = new LogMeter()
  await using memory = createMemoryEventLog()
  const log = { ...memory, observer: meter }
  const registry = new Registry()
  exposeLog(registry, () => [meter], new LogHeads(log))
  const shown = async (name: string): Promise<number | undefined> => {
    const line = (await registry.metrics()).split('\n').find((text) => text.startsWith(`maru_log_reader_${name}{`))
    return line === undefined ? undefined : Number(line.split(' ').at(-1))
  }
  await log.append(topic, record, { producer: 'p', sequence: 1 })

  const stop = new AbortController()
  const held: (() => void)[] = []
  const consumer = consumeInto<number, undefined>({
    log,
    topic,
    name: 'inbox',
    store: positions(),
    handler: (_none, _events, { offset }) => (offset === 1 ? Promise.resolve() : new Promise<void>((resolve) => held.push(resolve))),
    signal: stop.signal,
    logger: { info() {}, warn() {}, error() {} },
  })
  await consumer.waitUntil(1)
  expect(await shown('position')).toBe(1)
  expect([await shown('lag_records'), await shown('lag_seconds')]).toEqual([0, 0])

  await log.append(topic, record, { producer: 'p', sequence: 2 })
  await expect.poll(() => held.length).toBe(1)
  await expect.poll(() => shown('lag_records')).toBe(1)
  await expect.poll(() => shown('lag_seconds')).toBeGreaterThan(0)
  held[0]!()
  await consumer.waitUntil(2)
  expect([await shown('lag_records'), await shown('lag_seconds')]).toEqual([0, 0])
  stop.abort()
  await consumer.done
})

test('a log that does not answer leaves the scrape without its lag, and whole otherwise', async () => {
  const meter = new LogMeter()
  meter.readerMoved('inbox', topic, 7, 3, 2)
  meter.appended(topic, 100, 3)
  const registry = new Registry()
  exposeLog(registry, () => [meter], new LogHeads({ head: () => new Promise(() => undefined) }))
  const text = await registry.metrics()
  expect(text).toContain('maru_log_reader_position{reader="inbox",topic="trading-events"} 7')
  expect(text).toContain('maru_log_records_appended_total{topic="trading-events"} 1')
  expect(text).toContain('maru_log_commit_duration_seconds_bucket{le="0.005",topic="trading-events"} 1')
  expect(text).not.toContain('maru_log_reader_lag_records{')
})

test('beyond their bound keys are counted together', () => {
  const tally = new CountTally(2)
  for (const key of ['a', 'b', 'c', 'd', 'a']) tally.add(key)
  expect([...tally.entries()]).toEqual([
    ['a', 2],
    ['b', 1],
    ['other', 2],
  ])
})

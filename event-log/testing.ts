import { describe, expect, test } from 'vitest'
import { FencedError, LogClosedError, type EventLog, type LogRecord } from './port.ts'

/** A store that tests may fill: each set-up gives an empty one. */
export interface StoreUnderTest extends AsyncDisposable {
  /** Each call gives a handle of its own on the same records, as another process would have. */
  open(): Promise<EventLog>
  /** The same, where the topics are not announced between handles; unset where it is all one. */
  openQuiet?: () => Promise<EventLog>
  /** Two topics that the handles may append to, and their readers read. */
  readonly topics: readonly [string, string]
}

const everything = { recordsMax: 1_000, bytesMax: 32 * 1_024 * 1_024 }
const text = (body: Uint8Array) => Buffer.from(body).toString('utf8')
const bytes = (content: string) => Buffer.from(content, 'utf8')

/** What every store promises (port.ts), as tests; the same for all stores. */
export function describeEventLog(name: string, setUp: () => Promise<StoreUnderTest>): void {
  describe(name, () => {
    test('an empty topic', async () => {
      await using store = await setUp()
      await using log = await store.open()
      const [topic] = store.topics
      expect(await log.head(topic)).toBe(0)
      expect(await log.last(topic)).toBeUndefined()
      expect(await log.firstKept(topic)).toBe(1)
      expect(await log.read(topic, 0, everything)).toEqual([])
      expect(await log.read(topic, 1_000_000, everything)).toEqual([])
    })

    test('a record comes back as it was given, and topics are apart', async () => {
      await using store = await setUp()
      await using log = await store.open()
      const [topic, other] = store.topics
      const offset = await log.append(topic, bytes('first'), { producer: 'p', sequence: 7 })
      await log.append(other, bytes('elsewhere'), { producer: 'p', sequence: 7 })
      const [record] = await log.read(topic, 0, everything)
      expect(record).toMatchObject({ offset, producer: 'p', sequence: 7 })
      expect(text(record?.body ?? bytes(''))).toBe('first')
      expect(await log.head(topic)).toBe(offset)
      expect((await log.last(topic))?.offset).toBe(offset)
    })

    test('many writers at once: one order for all readers, nothing missed, each producer in its own order', async () => {
      await using store = await setUp()
      const [topic] = store.topics
      const writers = await Promise.all(Array.from({ length: 6 }, () => store.open()))
      const readers = await Promise.all([store.open(), store.open()])
      const count = writers.length * 100
      const seen = readers.map((reader, index) => take(reader, topic, count, { recordsMax: 1 + index * 40, bytesMax: 10_000 }))
      const acknowledged = await Promise.all(
        writers.map((writer, index) =>
          Promise.all(
            Array.from({ length: 100 }, (_, sequence) =>
              writer.append(topic, bytes(`${index}:${sequence}`), { producer: `writer-${index}`, sequence }),
            ),
          ),
        ),
      )
      const [first, second] = await Promise.all(seen)
      const all = await take(readers[0] as EventLog, topic, count, everything)
      expect(first).toEqual(all)
      expect(second).toEqual(all)
      expect(all.map((record) => record.offset)).toEqual([...new Set(all.map((record) => record.offset))].sort((a, b) => a - b))
      const byOffset = new Map(all.map((record) => [record.offset, text(record.body)]))
      acknowledged.forEach((offsets, index) => {
        expect(offsets.map((offset) => byOffset.get(offset))).toEqual(offsets.map((_, sequence) => `${index}:${sequence}`))
        expect(offsets).toEqual(offsets.toSorted((a, b) => a - b))
      })
      await Promise.all([...writers, ...readers].map((log) => log[Symbol.asyncDispose]()))
    })

    test('a repeat adds nothing and gives the first offset, at once or later, from any handle', async () => {
      await using store = await setUp()
      await using one = await store.open()
      await using two = await store.open()
      const [topic] = store.topics
      const identity = { producer: 'p', sequence: 1 }
      const offsets = await Promise.all([one, two, one, two].map((log) => log.append(topic, bytes('x'), identity)))
      await one.append(topic, bytes('y'), { producer: 'p', sequence: 2 })
      offsets.push(await two.append(topic, bytes('x'), identity))
      expect(new Set(offsets).size).toBe(1)
      expect((await one.read(topic, 0, everything)).map((record) => text(record.body))).toEqual(['x', 'y'])
      expect(await one.head(topic)).toBe((await one.last(topic))?.offset)
    })

    test('reads keep to their bounds', async () => {
      await using store = await setUp()
      await using log = await store.open()
      const [topic] = store.topics
      const offsets: number[] = []
      for (let sequence = 0; sequence < 10; sequence++)
        offsets.push(await log.append(topic, Buffer.alloc(100, sequence), { producer: 'p', sequence }))
      const read = async (after: number, recordsMax: number, bytesMax: number) =>
        (await log.read(topic, after, { recordsMax, bytesMax })).map((record) => record.offset)
      expect(await read(0, 3, 1_000_000)).toEqual(offsets.slice(0, 3))
      expect(await read(0, 1_000, 1)).toEqual(offsets.slice(0, 1))
      expect(await read(0, 1_000, 100)).toEqual(offsets.slice(0, 1))
      expect(await read(0, 1_000, 101)).toEqual(offsets.slice(0, 2))
      expect(await read(offsets[6] ?? 0, 1_000, 1_000_000)).toEqual(offsets.slice(7))
      expect(await read(offsets[9] ?? 0, 1_000, 1_000_000)).toEqual([])
      const pages: number[] = []
      for await (const page of log.follow(topic, 0, { recordsMax: 4, bytesMax: 250, signal: AbortSignal.timeout(20_000) })) {
        pages.push(page.length)
        if (page.at(-1)?.offset === offsets[9]) break
      }
      expect(pages).toEqual([3, 3, 3, 1])
    })

    test.each([0, 1, 8_000, 8_192, 100_000, 8 * 1_024 * 1_024])('a body of %i bytes', async (size) => {
      await using store = await setUp()
      await using log = await store.open()
      const [topic] = store.topics
      const body = new Uint8Array(size + 16).map((_, index) => (index * 31 + (index >> 8)) & 255).subarray(9, 9 + size)
      await log.append(topic, body, { producer: 'p', sequence: 1 })
      await log.append(topic, bytes('next'), { producer: 'p', sequence: 2 })
      const records = await log.read(topic, 0, { recordsMax: 2, bytesMax: size + 1 })
      expect(records.length).toBe(2)
      expect(Buffer.compare(records[0]?.body ?? bytes('?'), body)).toBe(0)
      expect(text(records[1]?.body ?? bytes('?'))).toBe('next')
    })

    test('whoever waits at the end is woken without the poll, by its own handle and by another', async () => {
      await using store = await setUp()
      await using log = await store.open()
      await using other = await store.open()
      const [topic] = store.topics
      for (const [sequence, writer] of [log, other].entries()) {
        const following = log.follow(topic, await log.head(topic), {
          ...everything,
          pollMs: 3_600_000,
          signal: AbortSignal.timeout(20_000),
        })
        const next = following.next()
        await writer.append(topic, bytes(`${sequence}`), { producer: 'p', sequence })
        expect((await next).value?.map((record) => text(record.body))).toEqual([`${sequence}`])
        await following.return()
      }
    })

    test('a hint wakes who waits for nothing else, and a wrong one does no harm', async () => {
      await using store = await setUp()
      await using quiet = await (store.openQuiet ?? store.open)()
      await using log = await (store.openQuiet ?? store.open)()
      const [topic] = store.topics
      const following = quiet.follow(topic, 0, { ...everything, pollMs: 3_600_000, signal: AbortSignal.timeout(20_000) })
      let isThere = false
      const next = following.next().finally(() => (isThere = true))
      quiet.hint(topic, 1)
      const offset = await log.append(topic, bytes('0'), { producer: 'p', sequence: 0 })
      // A store that tells of what is appended elsewhere needs no hint.
      await expect
        .poll(() => {
          quiet.hint(topic, offset)
          return isThere
        })
        .toBe(true)
      expect((await next).value?.map((record) => text(record.body))).toEqual(['0'])
      await following.return()
    })

    test('an abort ends a reader that waits', async () => {
      await using store = await setUp()
      await using log = await store.open()
      const stop = new AbortController()
      const following = log.follow(store.topics[0], 0, { ...everything, pollMs: 3_600_000, signal: stop.signal })
      const next = following.next()
      stop.abort()
      expect(await next).toEqual({ done: true, value: undefined })
    })

    test('a newer exclusive writer fences the older; other names, topics and plain appends are not touched', async () => {
      await using store = await setUp()
      await using one = await store.open()
      await using two = await store.open()
      const [topic, otherTopic] = store.topics
      const old = await one.exclusiveWriter(topic, 'publisher')
      const otherName = await one.exclusiveWriter(topic, 'other')
      const elsewhere = await one.exclusiveWriter(otherTopic, 'publisher')
      await old.append(bytes('old'))
      const newer = await two.exclusiveWriter(topic, 'publisher')
      expect(newer.epoch).toBeGreaterThan(old.epoch)
      await expect(old.append(bytes('late'))).rejects.toThrow(FencedError)
      await newer.append(bytes('new'))
      await expect(old.append(bytes('later'))).rejects.toThrow(FencedError)
      await otherName.append(bytes('other'))
      await elsewhere.append(bytes('elsewhere'))
      await one.append(topic, bytes('plain'), { producer: 'p', sequence: 1 })
      expect((await one.read(topic, 0, everything)).map((record) => text(record.body))).toEqual(['old', 'new', 'other', 'plain'])
    })

    test('taking over under load: nothing of the old writer comes after the first of the new one', async () => {
      await using store = await setUp()
      const [topic] = store.topics
      const logs = await Promise.all([1, 2, 3].map(() => store.open()))
      let fenced = 0
      for (const log of logs) {
        const writer = await log.exclusiveWriter(topic, 'publisher')
        void (async () => {
          for (let index = 0; ; index++) await writer.append(bytes(`${writer.epoch}:${index}`))
        })().catch((error: unknown) => (fenced += error instanceof FencedError ? 1 : 0))
        await take(log, topic, 30 * writer.epoch, everything)
      }
      const last = await (logs[0] as EventLog).exclusiveWriter(topic, 'publisher')
      await last.append(bytes(`${last.epoch}:0`))
      await expect.poll(() => fenced, { timeout: 20_000 }).toBe(3)
      const bodies: number[][] = []
      for await (const page of (logs[0] as EventLog).follow(topic, 0, { ...everything, signal: AbortSignal.timeout(20_000) })) {
        bodies.push(...page.map((record) => text(record.body).split(':').map(Number)))
        if (bodies.at(-1)?.[0] === last.epoch) break
      }
      const epochs = bodies.map(([epoch]) => epoch ?? 0)
      expect(epochs).toEqual(epochs.toSorted((a, b) => a - b))
      for (const epoch of new Set(epochs)) {
        const indices = bodies.filter(([of]) => of === epoch).map(([, index]) => index)
        expect(indices).toEqual(indices.map((_, index) => index))
      }
      await Promise.all(logs.map((log) => log[Symbol.asyncDispose]()))
    })

    test('trimming drops the oldest records and leaves offsets as they are', async () => {
      await using store = await setUp()
      await using log = await store.open()
      const [topic] = store.topics
      const offsets: number[] = []
      for (let sequence = 0; sequence < 10; sequence++)
        offsets.push(await log.append(topic, bytes(`${sequence}`), { producer: 'p', sequence }))
      const [, , , fourth = 0] = offsets
      await log.trim(topic, fourth)
      await log.trim(topic, fourth)
      expect(await log.firstKept(topic)).toBe(fourth)
      expect((await log.read(topic, 0, everything)).map((record) => record.offset)).toEqual(offsets.slice(3))
      const head = await log.head(topic)
      await log.trim(topic, head + 1)
      expect([await log.head(topic), await log.firstKept(topic), await log.last(topic)]).toEqual([head, head + 1, undefined])
      const next = await log.append(topic, bytes('next'), { producer: 'p', sequence: 10 })
      expect(next).toBeGreaterThan(head)
      expect((await log.read(topic, 0, everything)).map((record) => record.offset)).toEqual([next])
    })

    test('an append repeated after its record was trimmed adds nothing', async () => {
      await using store = await setUp()
      await using one = await store.open()
      await using two = await store.open()
      const [topic] = store.topics
      const append = (log: EventLog, producer: string, sequence: number) => log.append(topic, bytes(`${sequence}`), { producer, sequence })
      for (const sequence of [1, 2, 3]) await append(one, 'p', sequence)
      const newest = await append(one, 'p', 4)
      const other = await append(one, 'q', 1)
      await one.trim(topic, newest)
      await one.trim(topic, other + 1)
      expect(await append(two, 'p', 4)).toBe(newest)
      expect(await append(one, 'q', 1)).toBe(other)
      await expect(append(one, 'p', 2)).rejects.toThrow('was trimmed')
      expect(await one.read(topic, 0, everything)).toEqual([])
      expect(await one.head(topic)).toBe(other)
      expect(await append(two, 'p', 5)).toBe(other + 1)
      expect(await append(one, 'r', 1)).toBe(other + 2)
    })

    test('what cannot be is refused as a fault of the caller', async () => {
      await using store = await setUp()
      await using log = await store.open()
      const [topic] = store.topics
      const identity = { producer: 'p', sequence: 1 }
      await expect(log.append(topic, new Uint8Array(16 * 1_024 * 1_024 + 1), identity)).rejects.toThrow(RangeError)
      await expect(log.append(topic, bytes('x'), { producer: '', sequence: 1 })).rejects.toThrow(RangeError)
      await expect(log.append(topic, bytes('x'), { producer: 'p'.repeat(129), sequence: 1 })).rejects.toThrow(RangeError)
      await expect(log.append(topic, bytes('x'), { producer: 'p', sequence: 0.5 })).rejects.toThrow(RangeError)
      await expect(log.read(topic, -1, everything)).rejects.toThrow(RangeError)
      await expect(log.trim(topic, Number.NaN)).rejects.toThrow(RangeError)
      await expect(log.exclusiveWriter(topic, '')).rejects.toThrow(RangeError)
      await expect(log.follow(topic, -1, { ...everything, signal: AbortSignal.timeout(1_000) }).next()).rejects.toThrow(RangeError)
      expect(await log.head(topic)).toBe(0)
    })

    test('a closed log says so', async () => {
      await using store = await setUp()
      const log = await store.open()
      const [topic] = store.topics
      const following = log.follow(topic, 0, { ...everything, signal: AbortSignal.timeout(20_000) }).next()
      const ended = expect(following).rejects.toThrow(LogClosedError)
      await log[Symbol.asyncDispose]()
      await ended
      await expect(log.append(topic, bytes('x'), { producer: 'p', sequence: 1 })).rejects.toThrow(LogClosedError)
      await expect(log.read(topic, 0, everything)).rejects.toThrow(LogClosedError)
    })
  })
}

/** The first `count` records, as a follower sees them come. */
export async function take(
  log: EventLog,
  topic: string,
  count: number,
  bounds: { recordsMax: number; bytesMax: number },
): Promise<LogRecord[]> {
  const records: LogRecord[] = []
  for await (const page of log.follow(topic, 0, { ...bounds, signal: AbortSignal.timeout(25_000) })) {
    records.push(...page)
    if (records.length >= count) break
  }
  return records.slice(0, count)
}

import { expect, test } from 'vitest'
import { topics, type TradingEvent } from '@maru/contracts'
import { createMemoryEventLog, encodeJsonRecord, type LogRecord } from '@maru/event-log'
import { eventTextsOf, type EventTexts } from '../publisher/event-texts.ts'
import type { JsonBytes } from '../publisher/json-bytes.ts'
import { PublishedTail } from '../publisher/published-tail.ts'
import { formatId } from '../wire/order-id.ts'

const bounds = { recordsMax: 100, bytesMax: 1_000_000 }

interface Published {
  body: Buffer
  texts: EventTexts
}

function eventsOf(sequence: number, count = 1): Published {
  const event = { type: 'mode.changed', v: 1, timestamp: '2026-01-01T00:00:00.000Z', user_id: 'u', data: { actor: 'op', mode: 'CASH' } }
  const events = Array.from(
    { length: count },
    (_, at) => ({ ...event, id: `${formatId(sequence)}-${at}`, sequence: sequence + at }) as TradingEvent,
  )
  return { body: encodeJsonRecord(events.map((each) => JSON.stringify(each))), texts: eventTextsOf(events) }
}

async function open() {
  const log = createMemoryEventLog()
  const writer = await log.exclusiveWriter(topics.tradingEvents, 'test')
  const tail = new PublishedTail(log, topics.tradingEvents)
  const stop = new AbortController()
  const append = async ({ body }: Published): Promise<LogRecord> => {
    return { offset: await writer.append(body), body, producer: '', sequence: 0 }
  }
  const publish = async (published: Published): Promise<void> => tail.add(await append(published), published.texts, stop.signal)
  return { tail, stop, append, publish }
}

test('a reader far behind comes from the log to what is kept, and misses and repeats nothing', async () => {
  const { tail, stop, append, publish } = await open()
  for (let sequence = 1; sequence <= 5; sequence++) await append(eventsOf(sequence))
  tail.begin(5)
  for (let sequence = 6; sequence <= 8; sequence++) await publish(eventsOf(sequence))
  const seen: number[] = []
  for await (const records of tail.asLog().follow(topics.tradingEvents, 2, { ...bounds, recordsMax: 2, signal: stop.signal })) {
    for (const { body } of records) {
      const [first] = tail.decode(body)
      seen.push(first!.sequence)
    }
    if (seen.length >= 6 && seen.length < 8) await publish(eventsOf(seen.length + 3))
    if (seen.length === 8) stop.abort()
  }
  expect(seen).toEqual([3, 4, 5, 6, 7, 8, 9, 10])
})

test('what is kept is handed on as it is, without being parsed', async () => {
  const { tail, stop, publish } = await open()
  tail.begin(0)
  const published = eventsOf(1, 3)
  await publish(published)
  for await (const [record] of tail.asLog().follow(topics.tradingEvents, 0, { ...bounds, signal: stop.signal })) {
    const handed = tail.decode(record!.body)
    expect(handed).toHaveLength(3)
    for (const [at, event] of handed.entries()) expect(event).toBe(published.texts.events[at])
    stop.abort()
  }
})

test('the memory of what the reader has taken is used again, and not before', async () => {
  const { tail, stop, publish } = await open()
  tail.begin(0)
  const records = [1, 2, 3].map((sequence) => eventsOf(sequence))
  for (const record of records) await publish(record)
  const textOf = ({ texts }: Published): JsonBytes => texts.events[0]!.text
  let taken = 0
  for await (const _ of tail.asLog().follow(topics.tradingEvents, 0, { ...bounds, recordsMax: 1, signal: stop.signal })) {
    const spare = textOf(eventsOf(9))
    expect(records.slice(taken).map(textOf)).not.toContain(spare)
    if (taken > 0) expect(spare).toBe(textOf(records[taken - 1]!))
    if ((taken += 1) === 3) stop.abort()
  }
  expect(taken).toBe(3)
})

test('the publisher waits while the reader is far behind, and goes on once it has read', async () => {
  const { tail, stop, publish } = await open()
  tail.begin(0)
  await publish(eventsOf(1, 15_000))
  let isWaiting = true
  const waiting = publish(eventsOf(15_001, 15_000)).then(() => (isWaiting = false))
  const states: boolean[] = []
  for await (const _ of tail.asLog().follow(topics.tradingEvents, 0, { ...bounds, recordsMax: 1, signal: stop.signal })) {
    states.push(isWaiting)
    if (states.length === 2) break
  }
  await waiting
  expect(states[0]).toBe(true)
  expect(isWaiting).toBe(false)
})

test('a publisher that stops is not kept waiting', async () => {
  const { tail, stop, publish } = await open()
  tail.begin(0)
  const waiting = publish(eventsOf(1, 20_001))
  stop.abort()
  await waiting
  expect(stop.signal.aborted).toBe(true)
})

import { gzipSync, zstdCompressSync } from 'node:zlib'
import { expect, test } from 'vitest'
import { decodeJsonRecord, encodeJsonRecord } from '../index.ts'

const event = (at: number): string => JSON.stringify({ id: `${at}-0`, data: { text: 'ü"\n', amount: '12.5' } })

test.each([0, 1, 5, 2_000])('%i events come back as they were', (count) => {
  const events = Array.from({ length: count }, (_, at) => event(at))
  expect(decodeJsonRecord(encodeJsonRecord(events))).toEqual(events.map((text) => JSON.parse(text) as unknown))
})

test('records beyond the room that is kept, of texts of several bytes a character, come back as they were', () => {
  const events = Array.from({ length: 30 }, (_, at) => JSON.stringify({ id: `${at}-0`, data: '한'.repeat(100_000) }))
  expect(decodeJsonRecord(encodeJsonRecord(events))).toEqual(events.map((text) => JSON.parse(text) as unknown))
})

test('a record stays as it is when the next is made', () => {
  const first = encodeJsonRecord([event(1)])
  encodeJsonRecord([event(2), event(3)])
  expect(first.toString()).toBe(`[${event(1)}]`)
})

test('many events are compressed, few are plain JSON', () => {
  const many = Array.from({ length: 500 }, (_, at) => event(at))
  expect(encodeJsonRecord(many).length).toBeLessThan(`[${many.join(',')}]`.length / 5)
  expect(encodeJsonRecord([event(1)]).toString()).toBe(`[${event(1)}]`)
})

test.each([
  ['what is no JSON', Buffer.from('no events'), 'not valid JSON'],
  ['what is no array', Buffer.from('{"id":"1"}'), 'not a JSON array'],
  ['an array that breaks off', Buffer.from('[{"id":"1"}'), 'JSON'],
  ['a compressed text that is no array', zstdCompressSync(Buffer.from('"text"')), 'not a JSON array'],
  ['a compressed record that breaks off', zstdCompressSync(Buffer.from(`[${event(1)}]`)).subarray(0, 20), 'unexpected end'],
  ['another compression', gzipSync(Buffer.from(`[${event(1)}]`)), 'not valid JSON'],
  ['nothing', Buffer.alloc(0), 'Unexpected end'],
])('%s is refused', (_, body, message) => {
  expect(() => decodeJsonRecord(body)).toThrow(message)
})

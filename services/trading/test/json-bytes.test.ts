import fc from 'fast-check'
import { expect, test } from 'vitest'
import { amountMax, formatUnits } from '@maru/domain/money'
import { JsonBytes, piece } from '../publisher/json-bytes.ts'
import { formatId } from '../wire/order-id.ts'

/** What is written, from so little room that it must grow amid anything. */
function written(write: (text: JsonBytes) => void): string {
  const text = new JsonBytes(1)
  text.put(piece('<'))
  write(text)
  text.put(piece('>'))
  return text.bytes.toString('utf8', 1, text.length - 1)
}

const runs = { numRuns: 3_000, seed: Number(process.env['MARU_TEST_SEED'] ?? 20_261_123) }
const whole = fc.oneof(
  fc.nat(1_000),
  fc.maxSafeNat(),
  fc.constantFrom(0, 2 ** 31 - 1, 2 ** 31, 2 ** 32, amountMax - 1, amountMax),
  fc.nat(15).map((digits) => 10 ** digits),
)

test('units are as formatUnits shows them', () => {
  fc.assert(
    fc.property(whole, fc.boolean(), fc.nat(18), (units, isNegative, scale) => {
      const signed = isNegative ? -units : units
      expect(written((text) => text.units(signed, scale))).toBe(formatUnits(signed, scale))
    }),
    runs,
  )
})

test('just below a multiple of the unit, as far as figures go, nothing is rounded up', () => {
  for (let scale = 0; scale <= 9; scale++) {
    const most = Math.floor(amountMax / 10 ** scale)
    for (let multiple = most; multiple > most - 2_000; multiple--)
      for (const units of [multiple * 10 ** scale - 1, multiple * 10 ** scale])
        expect(written((text) => text.units(units, scale))).toBe(formatUnits(units, scale))
  }
})

test('whole numbers, ids and times are as JavaScript shows them', () => {
  fc.assert(
    fc.property(whole, fc.integer({ min: 0, max: Date.UTC(9_999, 11, 31) }), (number, ms) => {
      expect(written((text) => text.integer(number))).toBe(String(number))
      expect(written((text) => text.id(number))).toBe(formatId(number))
      expect(written((text) => text.time(ms))).toBe(new Date(ms).toISOString())
    }),
    runs,
  )
  // One writer keeps the day of the time before.
  const text = new JsonBytes(1)
  const times = [0, 86_399_999, 86_400_000, 1, Date.UTC(2026, 1, 28, 23, 59, 59, 999), Date.UTC(2026, 2, 1)]
  for (const ms of times) text.time(ms)
  expect(text.bytes.toString('utf8', 0, text.length)).toBe(times.map((ms) => new Date(ms).toISOString()).join(''))
})

test('texts are as JSON.stringify writes them', () => {
  const texts = fc.oneof(fc.string({ unit: 'binary' }), fc.string(), fc.constantFrom('', '"', '\\', '\u007f', '\ud800', '한국', '\n'))
  fc.assert(
    fc.property(texts, (value) => {
      expect(written((text) => text.string(value))).toBe(JSON.stringify(value))
    }),
    runs,
  )
})

test('a text is copied from another, whole or in part', () => {
  const from = new JsonBytes(1)
  from.ascii('abcdef')
  expect(written((text) => text.copy(from, 1, 4))).toBe('bcd')
})

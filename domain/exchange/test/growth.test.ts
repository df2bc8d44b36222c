import fc from 'fast-check'
import { expect, test } from 'vitest'
import { asInts, grownInts, intTable, recordDoubles } from '../growth.ts'

test('tables begin on a line, hold zeros and never share a byte', () => {
  const records = fc.oneof(fc.nat(40), fc.nat(3_000), fc.constantFrom(16_384, 32_768, 65_536))
  fc.assert(
    fc.property(fc.array(fc.tuple(records, fc.constantFrom(4, 24, 64)), { maxLength: 12 }), (asked) => {
      const tables = asked.map(([count, bytes]) => (bytes === 4 ? intTable(count) : recordDoubles(count, bytes)))
      for (const [nth, table] of tables.entries()) {
        // 16 bytes into a page come 48 to the next line.
        expect(table.byteOffset % 64).toBe(48)
        expect(table.length).toBe((asked[nth]![0] * asked[nth]![1]) / table.BYTES_PER_ELEMENT)
        expect(table.every((figure) => figure === 0)).toBe(true)
        table.fill(nth + 1)
      }
      for (const [nth, table] of tables.entries()) expect(table.every((figure) => figure === nth + 1)).toBe(true)
    }),
    { numRuns: 40 },
  )
})

test('a table keeps its figures when it grows, and its integers are those of its doubles', () => {
  const doubles = recordDoubles(2, 64)
  doubles[15] = 1
  const ints = asInts(doubles)
  expect([ints.length, ints[31]]).toEqual([32, 0x3ff00000])
  const grown = recordDoubles(4, 64, doubles)
  expect([grown.length, grown[15], grown[31]]).toEqual([32, 1, 0])
  expect([...grownInts(intTable(3).fill(7), 5)]).toEqual([7, 7, 7, 0, 0])
})

import { describe, expect, test } from 'vitest'
import { defaultExchanges, parseMarketData, readConfig } from '../config.ts'
import { prepareSource } from '../open-source.ts'
import { formatUnits, parseUnits, percentChange, unitsOfNumber } from '../market/units.ts'

describe('MARU_MARKET_DATA', () => {
  test.each([
    [undefined, { kind: 'live', exchanges: defaultExchanges, fallback: true }],
    ['', { kind: 'live', exchanges: defaultExchanges, fallback: true }],
    ['live', { kind: 'live', exchanges: defaultExchanges, fallback: false }],
    ['live:kraken, Binance', { kind: 'live', exchanges: ['kraken', 'binance'], fallback: false }],
    ['synthetic:42', { kind: 'synthetic', seed: 42 }],
    ['replay:../data', { kind: 'replay', folder: '../data', feed: 'candles', speed: 1, startMs: undefined }],
    [
      'replay:/some/where?speed=60&feed=trades&start=2023-04-05T00:00:00Z',
      { kind: 'replay', folder: '/some/where', feed: 'trades', speed: 60, startMs: Date.UTC(2023, 3, 5) },
    ],
    ['replay:x?start=2023-04-05T00:00:00', { kind: 'replay', folder: 'x', feed: 'candles', speed: 1, startMs: Date.UTC(2023, 3, 5) }],
  ])('%s', (text, expected) => {
    expect(parseMarketData(text)).toEqual(expected)
  })

  test.each([
    ['lives:binance', /must be live:EXCHANGE/],
    ['live:', /names no exchange/],
    ['live:bin ance', /not the name of an exchange/],
    ['live:binance,binance', /twice/],
    ['live:a1,a2,a3,a4,a5,a6,a7,a8,a9,b1,b2', /more than 10/],
    ['replay:', /names no folder/],
    ['replay:x?speed=0', /speed must be/],
    ['replay:x?speed=1.5', /speed must be/],
    ['replay:x?feed=ticks', /feed must be/],
    ['replay:x?start=soon', /start must be/],
    ['replay:x?sped=2', /not "sped"/],
    ['synthetic', /whole number/],
    ['synthetic:-1', /whole number/],
    ['synthetic:4294967296', /whole number/],
  ])('%s is refused', (text, message) => {
    expect(() => readConfig({ MARU_MARKET_DATA: text })).toThrow(message)
  })

  test('an exchange that nobody knows is named', async () => {
    await expect(prepareSource({ kind: 'live', exchanges: ['binance', 'mtgox'], fallback: false })).rejects.toThrow(/no exchange "mtgox"/)
  })
})

describe('units', () => {
  test.each([
    ['27753.63', 2_775_363_000_000],
    ['0.3829', 38_290_000],
    ['0', 0],
    ['1', 100_000_000],
    ['0.00000001', 1],
  ])('%s there and back', (text, units) => {
    expect(parseUnits(text)).toBe(units)
    expect(formatUnits(units)).toBe(text)
  })

  test.each(['', '-1', '1e3', '1.', '.5', '0.000000001', 'NaN', '99999999999', ' 1'])('%j is none', (text) => {
    expect(parseUnits(text)).toBeUndefined()
  })

  test.each([Number.NaN, Number.POSITIVE_INFINITY, 0, -1, 1e300, '1', null, undefined])('%s is no figure of an exchange', (value) => {
    expect(unitsOfNumber(value)).toBeUndefined()
  })

  test('volumes beyond 2^53 are exact', () => {
    expect(formatUnits(12_345_678_901_234_567_890n)).toBe('123456789012.3456789')
  })

  test.each([
    [100, 101, '1'],
    [100, 99, '-1'],
    [3, 4, '33.3333'],
    [3, 2, '-33.3333'],
    [7, 7, '0'],
    [200_000_000, 200_000_001, '0'],
  ])('from %i to %i is %s percent', (from, to, text) => {
    expect(percentChange(from, to)).toBe(text)
  })
})

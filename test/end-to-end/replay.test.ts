import { createReadStream } from 'node:fs'
import { access } from 'node:fs/promises'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { createGunzip } from 'node:zlib'
import { expect, test } from 'vitest'
import { Client, eventually } from '../support/client.ts'
import { startPlatform } from '../support/platform.ts'
import { positionOf, startMailServer, walkThrough } from './journey.ts'

const testData = process.env['MARU_TEST_DATA']
const folder = testData === undefined ? undefined : path.resolve(testData, 'data')
const missing = folder === undefined ? ' (skipped: MARU_TEST_DATA does not name the folder of recorded market data)' : ''

interface Row {
  open: number
  high: number
  low: number
  close: number
  volume: number
}

test.skipIf(folder === undefined)(
  `a newcomer trades on recorded data, and prices and candles are those of the files${missing}`,
  { timeout: 300_000 },
  async () => {
    await access(path.join(folder!, 'candles', 'BTCUSDT-1m.csv.gz'))
    const rows = await readCandles(path.join(folder!, 'candles', 'BTCUSDT-1m.csv.gz'))
    await using mail = await startMailServer()
    await using platform = await startPlatform({ env: { MARU_MARKET_DATA: `replay:${folder}`, SMTP_URL: mail.url } })
    const client = await Client.registered(platform.url, 'replay')

    const sources = await client.get<{ mode: string; replay: { shift_ms: number } }>('/api/market-data/sources')
    expect(sources.body.mode).toBe('replay')
    const shiftMs = sources.body.replay.shift_ms
    const rowAt = (time: number): Row | undefined => rows.get(time - shiftMs)

    // Every candle of the last day is the file's row of its minute, moved in time.
    const candles = await client.get<{ start: string; open: string; high: string; low: string; close: string; volume: string }[]>(
      '/api/market-data/candles/BTC-USDT?interval=1m&limit=1441',
    )
    const closed = candles.body.slice(0, -1)
    expect(closed.length).toBeGreaterThan(1_400)
    for (const candle of closed) {
      const { start, open, high, low, close, volume } = candle
      expect({ start, open: Number(open), high: Number(high), low: Number(low), close: Number(close), volume: Number(volume) }).toEqual({
        start,
        ...rowAt(Date.parse(start)),
      })
    }

    // The price now lies within the row of this minute (or the one that has just begun).
    const price = await client.get<{ price: string; timestamp: string; sources: string[] }>('/api/market-data/prices/BTC-USDT')
    expect(price.body.sources).toEqual(['replay'])
    const minute = Math.floor(Date.parse(price.body.timestamp) / 60_000) * 60_000
    const around = [rowAt(minute - 60_000), rowAt(minute), rowAt(minute + 60_000)].filter((row) => row !== undefined)
    expect(Number(price.body.price)).toBeGreaterThanOrEqual(Math.min(...around.map((row) => row.low)))
    expect(Number(price.body.price)).toBeLessThanOrEqual(Math.max(...around.map((row) => row.high)))

    await walkThrough(platform, mail.mails)

    // A position is worth what the file says: the mark is a price of the row of its minute, and the profit follows from it.
    await eventually(
      () => client.get<{ asks: unknown[] }>('/api/trading/markets/BTC-USDT/book'),
      ({ body }) => body.asks.length > 0,
    )
    await client.post('/api/trading/orders', { symbol: 'BTC/USDT', side: 'BUY', order_type: 'MARKET', quantity: '0.1' })
    const position = await positionOf(client)
    const now = Math.floor(Date.now() / 60_000) * 60_000
    const near = [rowAt(now - 60_000), rowAt(now), rowAt(now + 60_000)].filter((row) => row !== undefined)
    expect(Number(position.mark_price)).toBeGreaterThanOrEqual(Math.min(...near.map((row) => row.low)))
    expect(Number(position.mark_price)).toBeLessThanOrEqual(Math.max(...near.map((row) => row.high)))
    expect(Number(position.unrealized_pnl)).toBeCloseTo((Number(position.mark_price) - Number(position.average_price)) * 0.1, 4)
  },
)

async function readCandles(file: string): Promise<Map<number, Row>> {
  const rows = new Map<number, Row>()
  for await (const line of createInterface({ input: createReadStream(file).pipe(createGunzip()) })) {
    const [time, open, high, low, close, volume] = line.split(',').map(Number)
    if (Number.isFinite(time)) rows.set(time!, { open: open!, high: high!, low: low!, close: close!, volume: volume! })
  }
  return rows
}

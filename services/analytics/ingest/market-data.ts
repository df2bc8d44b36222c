import type pg from 'pg'
import { topics, type MarketDataEvent } from '@maru/contracts'
import { parseFixed } from '@maru/domain/statistics'
import { saveProgress } from './trading-events.ts'

/** Keeps the last price of each minute and symbol. Applying an event again changes nothing. */
export async function applyMarketData(client: Pick<pg.ClientBase, 'query'>, events: readonly MarketDataEvent[]): Promise<void> {
  const marks = new Map<string, { symbol: string; at: string; price: string }>()
  const firsts = new Map<string, string>()
  for (const { type, timestamp, data } of events) {
    if (type !== 'price.updated') continue
    const { symbol, price } = data
    // Throws on what is no decimal, so that one bad record is set apart instead of failing every curve.
    parseFixed(price)
    const key = `${symbol} ${timestamp.slice(0, 16)}`
    const earlier = marks.get(key)
    if (earlier === undefined || earlier.at <= timestamp) marks.set(key, { symbol, at: timestamp, price })
    if (!firsts.has(symbol)) firsts.set(symbol, price)
  }
  const newest = events.at(-1)
  if (newest === undefined || marks.size === 0) return
  const values = [...marks.values()]
  await client.query({
    name: 'add marks',
    text: `insert into marks (symbol, minute, at, price)
     select symbol, date_trunc('minute', at, 'UTC'), at, price from unnest($1::text[], $2::timestamptz[], $3::numeric[]) as mark (symbol, at, price)
     on conflict (symbol, minute) do update set at = excluded.at, price = excluded.price where excluded.at >= marks.at`,
    values: [values.map((row) => row.symbol), values.map((row) => row.at), values.map((row) => row.price)],
  })
  await client.query({
    name: 'add symbols',
    text: `insert into symbols (symbol, first_price) select * from unnest($1::text[], $2::numeric[]) on conflict (symbol) do nothing`,
    values: [[...firsts.keys()], [...firsts.values()]],
  })
  await saveProgress(client, topics.marketData, newest.timestamp)
}

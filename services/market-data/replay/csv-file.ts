import { createReadStream } from 'node:fs'
import { createInterface } from 'node:readline'
import { createGunzip } from 'node:zlib'
import { parseUnits } from '../market/units.ts'

/** A recorded row as a span of file time: a candle of a minute, or one trade. Figures in units of 10^-8. */
export type RecordedRow =
  | { kind: 'candle'; timeMs: number; open: number; high: number; low: number; close: number; volume: number }
  | { kind: 'trade'; timeMs: number; price: number; quantity: number; side: 'BUY' | 'SELL' }

export type Feed = RecordedRow['kind']

export class RecordedFileError extends Error {
  override name = 'RecordedFileError'
}

const candleColumns = ['timestamp_ms', 'open', 'high', 'low', 'close', 'volume']
const tradeColumns = ['trade_time_ms', 'price', 'qty', 'side']

/**
 * Rows of a gzipped CSV file of candles (`timestamp_ms,open,high,low,close,volume`) or trades (`trade_time_ms,price,qty,side`, in any order
 * and with other columns), from `fromMs` on, oldest first. Streamed: memory does not grow with the file. Throws
 * RecordedFileError on a damaged file or row.
 */
export async function* readRecorded(file: string, feed: Feed, fromMs: number): AsyncGenerator<RecordedRow> {
  const input = createReadStream(file)
  const unzipped = input.pipe(createGunzip())
  // A fault of the file must reach the reader of the lines, which only watches what it reads.
  input.on('error', (error) => unzipped.destroy(error))
  const lines = createInterface({ input: unzipped, crlfDelay: Infinity })
  let columns: number[] | undefined
  let number = 0
  let beforeMs = 0
  try {
    for await (const line of lines) {
      number++
      if (columns === undefined) {
        columns = columnsOf(line, feed)
        continue
      }
      if (line === '') continue
      // The time comes first: rows before the wanted span cost little.
      const comma = line.indexOf(',')
      const timeMs = Number(line.slice(0, comma))
      if (timeMs < fromMs) continue
      const row = parseRow(line, columns, feed)
      if (row === undefined || row.timeMs < beforeMs)
        throw new RecordedFileError(`line ${number} is not a ${feed} in order of time: ${line.slice(0, 80)}`)
      beforeMs = row.timeMs
      yield row
    }
  } finally {
    lines.close()
    unzipped.destroy()
    input.destroy()
  }
}

/** Times of the first and the last row. Reads the file once, without parsing its lines. */
export async function recordedSpan(file: string, feed: Feed): Promise<{ firstMs: number; lastMs: number }> {
  const input = createReadStream(file)
  const unzipped = input.pipe(createGunzip())
  input.on('error', (error) => unzipped.destroy(error))
  let head = ''
  let tail = ''
  for await (const chunk of unzipped as AsyncIterable<Buffer>) {
    const text = chunk.toString('latin1')
    if (head.length < 1_024) head += text.slice(0, 1_024)
    tail = (tail + text).slice(-1_024)
  }
  const headLines = head.split('\n')
  columnsOf((headLines[0] ?? '').trim(), feed)
  const last = tail.trimEnd().split('\n').at(-1) ?? ''
  const firstMs = Number.parseInt(headLines[1] ?? '', 10)
  const lastMs = Number.parseInt(last, 10)
  if (!Number.isSafeInteger(firstMs) || !Number.isSafeInteger(lastMs) || lastMs < firstMs)
    throw new RecordedFileError('it has no rows in order of time')
  return { firstMs, lastMs }
}

function columnsOf(header: string, feed: Feed): number[] {
  const names = header.split(',')
  const wanted = feed === 'candle' ? candleColumns : tradeColumns
  const places = wanted.map((name) => names.indexOf(name))
  if (places.some((place) => place < 0) || places[0] !== 0)
    throw new RecordedFileError(`it needs the columns ${wanted.join(', ')}, the time first`)
  return places
}

function parseRow(line: string, places: readonly number[], feed: Feed): RecordedRow | undefined {
  const cells = line.split(',')
  const timeMs = Number(cells[places[0]!])
  if (!Number.isSafeInteger(timeMs)) return undefined
  const figure = (index: number) => parseUnits(cells[places[index]!] ?? '')
  if (feed === 'trade') {
    const price = figure(1)
    const quantity = figure(2)
    const side = cells[places[3]!]?.trim()
    if (!price || quantity === undefined || (side !== 'BUY' && side !== 'SELL')) return undefined
    return { kind: 'trade', timeMs, price, quantity, side }
  }
  const [open, high, low, close, volume] = [figure(1), figure(2), figure(3), figure(4), figure(5)]
  if (!open || !high || !low || !close || volume === undefined) return undefined
  if (low > Math.min(open, close) || high < Math.max(open, close) || timeMs % 60_000 !== 0) return undefined
  return { kind: 'candle', timeMs, open, high, low, close, volume }
}

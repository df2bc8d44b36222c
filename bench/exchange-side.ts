import { createHash } from 'node:crypto'
import { CommandKind, OrderType, Side, TimeInForce, type Command } from '@maru/contracts/commands'
import { decodeBatch, encodeBatch } from '@maru/contracts/commands-codec'
import { Exchange, foresightMax } from '@maru/domain/exchange'
import orderBookModule from 'nodejs-order-book'
import { makeStream, type Stream } from './exchange-stream.ts'

/**
 * One side of the comparison as a process of its own, `own` or `baseline`, which is asked for rounds: in one process each side would run on code
 * that the compiler had made for both, and in a heap that the other had filled.
 */
const { OrderBook, Side: BookSide } = orderBookModule
type LimitRequest = Parameters<InstanceType<typeof OrderBook>['limit']>[0]

export type Ask = 'round' | 'times'
export interface Answer {
  /** Seconds of a round; of `times`, µs of the 99th and of the 999th of a thousand. */
  value: number
  p999?: number
  /** Of price and lots of every level of every book, best first: what both sides must agree on. */
  books: string
}

interface Input {
  stream: Stream
  /** The measured commands, as the log has them. */
  records: readonly Uint8Array[]
}

function applyOpening(stream: Stream): Exchange {
  const exchange = new Exchange()
  for (const command of stream.opening) exchange.apply(command)
  return exchange
}

function booksOf(exchange: Exchange): string {
  return digest(
    exchange.markets.map(({ symbol }) => {
      const { bids, asks } = exchange.book(symbol, Number.POSITIVE_INFINITY)
      return [...bids, ...asks].map(({ price, quantity }) => `${price}:${quantity}`).join()
    }),
  )
}

const digest = (books: readonly string[]): string => createHash('sha256').update(books.join('\n')).digest('hex')

/**
 * Commands of a record of the log, which a replica decodes, looks ahead at some at a time, and applies one by one. Decoding, and making the requests of the
 * baseline, come just before the record and are not counted, so that both sides find what they are given in the cache, as they would in service.
 */
const commandsPerRecord = 64

function recordsOf(stream: Stream): Uint8Array[] {
  const records: Uint8Array[] = []
  for (let from = 0; from < stream.measured.length; from += commandsPerRecord)
    records.push(encodeBatch(stream.measured.slice(from, from + commandsPerRecord)))
  return records
}

function runExchange({ stream, records }: Input): Answer {
  const exchange = applyOpening(stream)
  let ms = 0
  for (const record of records) {
    const commands = decodeBatch(record)
    const started = performance.now()
    for (let from = 0; from < commands.length; from += foresightMax) {
      const to = Math.min(from + foresightMax, commands.length)
      if (exchange.isWide) exchange.foresee(commands, from, to)
      for (let at = from; at < to; at++) exchange.apply(commands[at]!)
    }
    ms += performance.now() - started
  }
  if (exchange.reconciliation().some(({ difference }) => difference !== 0n)) throw new Error('the exchange does not add up')
  return { value: ms / 1_000, books: booksOf(exchange) }
}

/** Percentiles of a command in µs: its own time, the clock's reading included, and its share of looking ahead at its record. */
function timesOf({ stream, records }: Input): Answer {
  const exchange = applyOpening(stream)
  const times = new Float64Array(stream.measured.length)
  let applied = 0
  for (const record of records) {
    const commands = decodeBatch(record)
    for (let from = 0; from < commands.length; from += foresightMax) {
      const to = Math.min(from + foresightMax, commands.length)
      const aheadMs = performance.now()
      if (exchange.isWide) exchange.foresee(commands, from, to)
      let lastMs = performance.now()
      const share = (lastMs - aheadMs) / (to - from)
      for (let at = from; at < to; at++) {
        exchange.apply(commands[at]!)
        const nowMs = performance.now()
        times[applied] = (nowMs - lastMs + share) * 1_000
        applied += 1
        lastMs = nowMs
      }
    }
  }
  times.sort()
  const at = (share: number): number => times[Math.floor(times.length * share)]!
  return { value: at(0.99), p999: at(0.999), books: booksOf(exchange) }
}

/** What turns commands into calls of the baseline, one book a symbol, so that only its own work is timed. */
function callsOf(books: readonly InstanceType<typeof OrderBook>[]): (commands: readonly Command[]) => (() => void)[] {
  /** Orders have the numbers that the exchange gives them, from 1. */
  const symbolOf: number[] = [0]
  const callOf = (command: Command): (() => void) | undefined => {
    if (command.kind === CommandKind.cancelOrder) {
      const book = books[symbolOf[command.order]!]!
      const id = String(command.order)
      return () => void book.cancel(id)
    }
    if (command.kind !== CommandKind.placeOrder) return undefined
    const id = String(symbolOf.push(command.symbol) - 1)
    const book = books[command.symbol]!
    const side = command.side === Side.buy ? BookSide.BUY : BookSide.SELL
    const { quantity: size, price } = command
    if (command.orderType === OrderType.market) {
      const request = { side, size }
      return () => void book.market(request)
    }
    // The package types this field by an enumeration that it does not export.
    const timeInForce = (command.timeInForce === TimeInForce.ioc ? 'IOC' : 'GTC') as NonNullable<LimitRequest['timeInForce']>
    const request: LimitRequest = { id, side, size, price, timeInForce }
    return () => void book.limit(request)
  }
  return (commands) => commands.map(callOf).filter((call) => call !== undefined)
}

function runOrderBooks({ stream, records }: Input): Answer {
  const books = Array.from({ length: stream.symbols }, () => new OrderBook())
  const toCalls = callsOf(books)
  for (const call of toCalls(stream.opening)) call()
  let ms = 0
  for (const record of records) {
    const calls = toCalls(decodeBatch(record))
    const started = performance.now()
    for (const call of calls) call()
    ms += performance.now() - started
  }
  const resting = books.map((book) => {
    const [asks, bids] = book.depth()
    const bestFirst = [...bids.toSorted((x, y) => y[0] - x[0]), ...asks.toSorted((x, y) => x[0] - y[0])]
    return bestFirst.map(([price, size]) => `${price}:${size}`).join()
  })
  return { value: ms / 1_000, books: digest(resting) }
}

const [side, symbols, resting, withClientIds] = process.argv.slice(2)
const stream = makeStream({ symbols: Number(symbols), resting: Number(resting), withClientIds: withClientIds === 'client-ids' })
const input: Input = { stream, records: recordsOf(stream) }
const run = side === 'own' ? runExchange : runOrderBooks
run(input)
process.on('message', (ask: Ask) => process.send?.(ask === 'times' ? timesOf(input) : run(input)))
process.on('disconnect', () => process.exit(0))
process.send?.('ready')

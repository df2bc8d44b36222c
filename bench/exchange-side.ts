import { createHash } from 'node:crypto'
import { OrderType, Side, TimeInForce, CommandKind } from '@maru/contracts/commands'
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

/** As a replica does: commands come in records of the log, are looked ahead at some at a time, and applied one by one. */
function runExchange(stream: Stream): Answer {
  const exchange = applyOpening(stream)
  const { measured } = stream
  const started = performance.now()
  for (let from = 0; from < measured.length; from += foresightMax) {
    const to = Math.min(from + foresightMax, measured.length)
    if (exchange.isWide) exchange.foresee(measured, from, to)
    for (let at = from; at < to; at++) exchange.apply(measured[at]!)
  }
  const value = (performance.now() - started) / 1_000
  if (exchange.reconciliation().some(({ difference }) => difference !== 0n)) throw new Error('the exchange does not add up')
  return { value, books: booksOf(exchange) }
}

/** Percentiles of a command in µs: its own time, the clock's reading included, and its share of looking ahead at its record. */
function timesOf(stream: Stream): Answer {
  const exchange = applyOpening(stream)
  const { measured } = stream
  const times = new Float64Array(measured.length)
  for (let from = 0; from < measured.length; from += foresightMax) {
    const to = Math.min(from + foresightMax, measured.length)
    const aheadMs = performance.now()
    if (exchange.isWide) exchange.foresee(measured, from, to)
    let lastMs = performance.now()
    const share = (lastMs - aheadMs) / (to - from)
    for (let at = from; at < to; at++) {
      exchange.apply(measured[at]!)
      const nowMs = performance.now()
      times[at] = (nowMs - lastMs + share) * 1_000
      lastMs = nowMs
    }
  }
  times.sort()
  const at = (share: number): number => times[Math.floor(times.length * share)]!
  return { value: at(0.99), p999: at(0.999), books: booksOf(exchange) }
}

/** The stream as calls of the baseline, one book a symbol, made ready so that only its own work is timed. */
function prepareCalls(stream: Stream) {
  const books = Array.from({ length: stream.symbols }, () => new OrderBook())
  const symbolOf: number[] = []
  const calls = [...stream.opening, ...stream.measured].flatMap((command): (() => void)[] => {
    if (command.kind === CommandKind.cancelOrder) {
      const book = books[symbolOf[command.order]!]!
      const id = String(command.order)
      return [() => void book.cancel(id)]
    }
    if (command.kind !== CommandKind.placeOrder) return []
    symbolOf[0] = 0
    const id = String(symbolOf.push(command.symbol) - 1)
    const book = books[command.symbol]!
    const side = command.side === Side.buy ? BookSide.BUY : BookSide.SELL
    const { quantity: size, price } = command
    if (command.orderType === OrderType.market) {
      const request = { side, size }
      return [() => void book.market(request)]
    }
    // The package types this field by an enumeration that it does not export.
    const timeInForce = (command.timeInForce === TimeInForce.ioc ? 'IOC' : 'GTC') as NonNullable<LimitRequest['timeInForce']>
    const request: LimitRequest = { id, side, size, price, timeInForce }
    return [() => void book.limit(request)]
  })
  return { books, calls, measuredFrom: calls.length - stream.measured.length }
}

function runOrderBooks(stream: Stream): Answer {
  const { books, calls, measuredFrom } = prepareCalls(stream)
  for (let at = 0; at < measuredFrom; at++) calls[at]!()
  const started = performance.now()
  for (let at = measuredFrom; at < calls.length; at++) calls[at]!()
  const value = (performance.now() - started) / 1_000
  const resting = books.map((book) => {
    const [asks, bids] = book.depth()
    const bestFirst = [...bids.toSorted((x, y) => y[0] - x[0]), ...asks.toSorted((x, y) => x[0] - y[0])]
    return bestFirst.map(([price, size]) => `${price}:${size}`).join()
  })
  return { value, books: digest(resting) }
}

const [side, symbols, resting, withClientIds] = process.argv.slice(2)
const stream = makeStream({ symbols: Number(symbols), resting: Number(resting), withClientIds: withClientIds === 'client-ids' })
const run = side === 'own' ? runExchange : runOrderBooks
run(stream)
process.on('message', (ask: Ask) => process.send?.(ask === 'times' ? timesOf(stream) : run(stream)))
process.on('disconnect', () => process.exit(0))
process.send?.('ready')

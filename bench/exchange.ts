import { pathToFileURL } from 'node:url'
import { CommandKind, OrderType, Side, TimeInForce, type Command, type PlaceOrder } from '@maru/contracts/commands'
import { Exchange } from '@maru/domain/exchange'
import orderBookModule from 'nodejs-order-book'
import { benchRow, formatTable, median, type BenchRow } from './report.ts'

/**
 * The state machine, with accounts, ledger, positions and limits on, beside the matching of npm `nodejs-order-book` without any of them, on the
 * same stream: limit orders around the middle, cancels, and orders that trade. Both sides are checked to end with the same book.
 */
const { OrderBook, Side: BookSide } = orderBookModule
type LimitRequest = Parameters<InstanceType<typeof OrderBook>['limit']>[0]

const accountCount = 1_000
const restingPerSide = 1_000
const middle = 6_183_763
/**
 * Shape of the stream, from eleven minutes of Binance BTC/USDT on 2024-08-09: how far from the middle the changes of its book lie (ticks of 0.01,
 * at steps of the share of changes), nearly each at a price of its own; 48 % of changes take a level away; and for each hundred
 * changes of the book there are seven trades.
 */
const distances = [
  [0, 1],
  [0.1, 1_245],
  [0.25, 4_531],
  [0.5, 10_454],
  [0.75, 17_012],
  [0.9, 25_993],
  [1, 30_000],
] as const
const takingShare = 0.07
const cancelShare = 0.48
const commandCount = 300_000
const rounds = 7

interface Stream {
  symbols: number
  /** Assets, markets, accounts and the resting orders. */
  opening: Command[]
  measured: Command[]
}

interface Result {
  seconds: number
  /** Price and lots of every level, best first, a text a symbol: what both sides must agree on. */
  resting: string[]
}

/** Numbers from 0 to 1, the same for the same seed (a linear congruential step with its high bits mixed). */
function randomNumbers(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    const mixed = Math.imul(state ^ (state >>> 15), 0x2c1b3c6d)
    return ((mixed ^ (mixed >>> 13)) >>> 0) / 4_294_967_296
  }
}

/**
 * Makes a stream by driving an exchange, so that every cancel is of an order that is open. The baseline knows orders by one id, as the exchange
 * does by its numbers; ids of clients, unique to their accounts, come on top of that where `withClientIds` asks for them.
 */
export function makeStream(symbols: number, seed: number, withClientIds = false): Stream {
  const random = randomNumbers(seed)
  const pick = (count: number): number => Math.floor(random() * count)
  const exchange = new Exchange()
  const opening: Command[] = []
  const measured: Command[] = []
  const open: number[][] = Array.from({ length: symbols * 2 }, () => [])
  let target = opening
  let time = Date.UTC(2026, 0, 1)
  let clientIds = 0
  /** Flat texts, as a decoder makes them, not concatenations that are still to be done. */
  const clientId = (): string => (withClientIds ? String(JSON.parse(`"order-${(clientIds += 1)}"`)) : '')

  const send = (command: Command): void => {
    time += 1
    command.time = time
    target.push(command)
    exchange.apply(command)
  }
  for (const command of venueCommands(symbols)) send(command)

  const limitOrder = (symbol: number, side: Side): void => {
    const distance = distanceAt(random())
    const price = side === Side.buy ? middle - distance : middle + distance
    send(order(symbol, side, OrderType.limit, TimeInForce.gtc, pick(accountCount / 2), 1 + pick(200), price, clientId()))
    open[symbol * 2 + side]!.push(exchange.outcome.data[4]!)
  }
  const takingOrder = (symbol: number, side: Side): void => {
    const isMarket = random() < 0.5
    const price = isMarket ? 0 : side === Side.buy ? middle + 2_000 : middle - 2_000
    const account = accountCount / 2 + pick(accountCount / 2)
    send(order(symbol, side, isMarket ? OrderType.market : OrderType.limit, TimeInForce.ioc, account, 1 + pick(300), price, clientId()))
  }
  const cancel = (symbol: number, side: Side): void => {
    const ids = open[symbol * 2 + side]!
    while (ids.length > 0) {
      const at = pick(ids.length)
      const id = ids[at]!
      ids[at] = ids[ids.length - 1]!
      ids.pop()
      const view = exchange.order(id)
      if (!view || view.status > 1) continue
      send({ kind: CommandKind.cancelOrder, time: 0, account: view.account, order: id })
      return
    }
  }
  for (let symbol = 0; symbol < symbols; symbol++)
    for (let count = 0; count < restingPerSide * 2; count++) limitOrder(symbol, (count & 1) as Side)
  target = measured
  while (measured.length < commandCount) {
    const symbol = pick(symbols)
    const side = pick(2) as Side
    const what = random()
    const isFull = open[symbol * 2 + side]!.length > restingPerSide
    if (what < takingShare) takingOrder(symbol, side)
    else if (what < takingShare + cancelShare && isFull) cancel(symbol, side)
    else limitOrder(symbol, side)
  }
  return { symbols, opening, measured }
}

/** Distance from the middle in ticks at a share of the changes, between the steps of the table. */
function distanceAt(share: number): number {
  const above = Math.max(
    1,
    distances.findIndex(([at]) => at >= share),
  )
  const [fromShare, from] = distances[above - 1]!
  const [toShare, to] = distances[above]!
  return Math.round(from + ((share - fromShare) / (toShare - fromShare)) * (to - from))
}

function venueCommands(symbols: number): Command[] {
  const commands: Command[] = [{ kind: CommandKind.addAsset, time: 0, name: 'USDT', scale: 8 }]
  for (let symbol = 0; symbol < symbols; symbol++) {
    commands.push({ kind: CommandKind.addAsset, time: 0, name: `B${symbol}`, scale: 8 })
    commands.push({
      kind: CommandKind.addMarket,
      time: 0,
      name: `B${symbol}/USDT`,
      priceScale: 2,
      quantityScale: 5,
      tickUnits: 1,
      lotUnits: 1,
      quantityMinLots: 1,
      quantityMaxLots: 900_000_000,
      priceMaxTicks: 1_000_000_000,
      notionalMin: 0,
      makerFeePpm: 500,
      takerFeePpm: 1_000,
    })
  }
  for (let account = 0; account < accountCount; account++) {
    const grants = [{ asset: 0, amount: 10_000_000 * 1e8 }]
    for (let symbol = 0; symbol < Math.min(symbols, 63); symbol++) grants.push({ asset: symbol + 1, amount: 5 * 1e8 })
    commands.push({ kind: CommandKind.openAccount, time: 0, userId: `user-${account}`, grants })
  }
  return commands
}

function order(
  symbol: number,
  side: Side,
  orderType: OrderType,
  timeInForce: TimeInForce,
  account: number,
  quantity: number,
  price: number,
  clientOrderId: string,
): PlaceOrder {
  return {
    kind: CommandKind.placeOrder,
    time: 0,
    account,
    symbol,
    side,
    orderType,
    timeInForce,
    quantity,
    price,
    stopPrice: 0,
    clientOrderId,
  }
}

/** Seconds the measured part takes, and what rests in the books afterwards. */
function runExchange(stream: Stream): Result {
  const exchange = new Exchange()
  for (const command of stream.opening) exchange.apply(command)
  const { measured } = stream
  const started = performance.now()
  for (let at = 0; at < measured.length; at++) exchange.apply(measured[at]!)
  const seconds = (performance.now() - started) / 1_000
  if (exchange.reconciliation().some(({ difference }) => difference !== 0n)) throw new Error('the exchange does not add up')
  const resting = exchange.markets.map(({ symbol }) => {
    const { bids, asks } = exchange.book(symbol, Number.POSITIVE_INFINITY)
    return [...bids, ...asks].map(({ price, quantity }) => `${price}:${quantity}`).join()
  })
  return { seconds, resting }
}

/** Time of each command in µs, the clock's own reading included. */
function commandTimes(stream: Stream): Float64Array {
  const exchange = new Exchange()
  for (const command of stream.opening) exchange.apply(command)
  const { measured } = stream
  const times = new Float64Array(measured.length)
  for (let at = 0; at < measured.length; at++) {
    const started = performance.now()
    exchange.apply(measured[at]!)
    times[at] = (performance.now() - started) * 1_000
  }
  return times.sort()
}

/** The stream as calls of the baseline, one book a symbol, made ready so that only its own work is timed. */
export function prepareCalls(stream: Stream) {
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

function runOrderBooks(stream: Stream): Result {
  const { books, calls, measuredFrom } = prepareCalls(stream)
  for (let at = 0; at < measuredFrom; at++) calls[at]!()
  const started = performance.now()
  for (let at = measuredFrom; at < calls.length; at++) calls[at]!()
  const seconds = (performance.now() - started) / 1_000
  const resting = books.map((book) => {
    const [asks, bids] = book.depth()
    const bestFirst = [...bids.toSorted((x, y) => y[0] - x[0]), ...asks.toSorted((x, y) => x[0] - y[0])]
    return bestFirst.map(([price, size]) => `${price}:${size}`).join()
  })
  return { seconds, resting }
}

export async function run(): Promise<BenchRow[]> {
  const rows: BenchRow[] = []
  for (const { symbols, ratio } of [
    { symbols: 1, ratio: 10 },
    { symbols: 50, ratio: 15 },
  ]) {
    const stream = makeStream(symbols, 7)
    const own: number[] = []
    const others: number[] = []
    const expected = runExchange(stream).resting
    for (let round = 0; round < rounds; round++) {
      own.push(commandCount / runExchange(stream).seconds)
      const other = runOrderBooks(stream)
      others.push(commandCount / other.seconds)
      if (other.resting.some((book, symbol) => book !== expected[symbol])) throw new Error('the two sides did not trade alike')
    }
    const name = `exchange: ${symbols} symbol${symbols === 1 ? '' : 's'}, ${restingPerSide.toLocaleString('en-US')} resting a side`
    const baseline = { name: 'nodejs-order-book, no accounts', value: median(others) }
    rows.push(benchRow({ name, unit: 'commands/s', value: median(own), baseline, target: { of: 'ratio', is: 'at least', bound: ratio } }))
    const p99s = Array.from({ length: rounds }, () => {
      const times = commandTimes(stream)
      return times[Math.floor(times.length * 0.99)]!
    })
    rows.push(benchRow({ name: `${name}, p99`, unit: 'µs', value: median(p99s), target: { of: 'value', is: 'at most', bound: 3 } }))
  }
  rows.push(withClientIds())
  return rows
}

/** What remembering a client order id of every order costs: stated, since the baseline has nothing like it. */
function withClientIds(): BenchRow {
  const stream = makeStream(1, 7, true)
  runExchange(stream)
  const own = Array.from({ length: rounds }, () => commandCount / runExchange(stream).seconds)
  return benchRow({ name: 'exchange: 1 symbol, every order with a client order id', unit: 'commands/s', value: median(own) })
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) console.log(formatTable(await run()))

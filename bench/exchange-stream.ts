import { CommandKind, OrderType, Side, TimeInForce, type Command, type PlaceOrder } from '@maru/contracts/commands'
import { Exchange, newestRules } from '@maru/domain/exchange'

/** Half of them make the book, half take from it. */
const accountsMin = 1_000
/** Open orders an account has in a market on average, well under what it may have. */
const ordersPerAccount = 100
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
export const commandCount = 300_000

export interface StreamShape {
  symbols: number
  /** Orders that rest on each side of each book. */
  resting: number
  withClientIds?: boolean
}

export interface Stream {
  symbols: number
  /** Assets, markets, accounts and the resting orders. */
  opening: Command[]
  measured: Command[]
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
export function makeStream({ symbols, resting, withClientIds = false }: StreamShape): Stream {
  const accountCount = Math.max(accountsMin, Math.ceil((resting * 2) / ordersPerAccount) * 2)
  const random = randomNumbers(7)
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
  for (const command of venueCommands(symbols, accountCount)) send(command)

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
  for (let symbol = 0; symbol < symbols; symbol++) for (let count = 0; count < resting * 2; count++) limitOrder(symbol, (count & 1) as Side)
  target = measured
  while (measured.length < commandCount) {
    const symbol = pick(symbols)
    const side = pick(2) as Side
    const what = random()
    const isFull = open[symbol * 2 + side]!.length > resting
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

function venueCommands(symbols: number, accountCount: number): Command[] {
  const commands: Command[] = [
    { kind: CommandKind.setRules, time: 0, rules: newestRules, actor: 'bench' },
    { kind: CommandKind.addAsset, time: 0, name: 'USDT', scale: 8 },
  ]
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
    extras: null,
  }
}

import { AccountMode, CommandKind, MarketStatus, OrderType, Side, TimeInForce } from '@maru/contracts'
import type { Exchange } from '@maru/domain/exchange'
import type { Unstamped } from '@maru/trading/testing'
import type { Random } from './random.ts'

/** Something a client wants done, whole: a repeat asks for the very same. */
export interface Wish {
  what: string
  /** Whose account it concerns. */
  userId: string
  command: (account: number) => Unstamped
  /** The platform recognises a repeat, so a client may send it again when it does not know what became of it. */
  isRepeatable: boolean
}

interface Wisher {
  random: Random
  /** The state as the log gives it, to choose prices that meet. */
  exchange: Exchange
  userIds: readonly string[]
  /** The user who asks, and numbers of orders that were acknowledged to them. */
  userId: string
  orders: readonly number[]
  /** A number not given before in this run. */
  unique: () => number
}

type WishKind = readonly [weight: number, make: (wisher: Wisher) => Wish | undefined]

/** Markets that are traded and marked, by the price they begin at. */
export const tradedMarkets = [
  { name: 'ADA/USDT', price: 0.4, decimals: 4 },
  { name: 'DOT/USDT', price: 5, decimals: 3 },
] as const

const whole = 100_000_000
const actor = 'operator'

const traderWishes: readonly WishKind[] = [
  [14, placeLimit],
  [3, (wisher) => place(wisher, { orderType: OrderType.market, timeInForce: wisher.random.pick([TimeInForce.ioc, TimeInForce.fok]) })],
  [2, placeStop],
  [5, cancelOne],
  [1, ({ userId }) => repeatable(`cancel all of ${userId}`, userId, (account) => ({ kind: CommandKind.cancelAll, account, symbol: -1 }))],
]

const operatorWishes: readonly WishKind[] = [
  [4, moveFunds],
  [3, setLimits],
  [2, setMode],
  [2, bookFill],
  [1, setMarketStatus],
]

/** What a trader wants next. New kinds of commands: one more line in the lists above, and where repeats are recognised one in `auditor.ts`. */
export function traderWish(wisher: Wisher): Wish {
  return choose(traderWishes, wisher)
}

export function operatorWish(wisher: Wisher): Wish {
  return choose(operatorWishes, wisher)
}

function choose(kinds: readonly WishKind[], wisher: Wisher): Wish {
  const total = kinds.reduce((sum, [weight]) => sum + weight, 0)
  for (;;) {
    let at = wisher.random.below(total)
    for (const [weight, make] of kinds) {
      if ((at -= weight) >= 0) continue
      const wish = make(wisher)
      if (wish) return wish
      break
    }
  }
}

function repeatable(what: string, userId: string, command: Wish['command']): Wish {
  return { what, userId, command, isRepeatable: true }
}

type Terms = { orderType: OrderType; timeInForce?: TimeInForce; price?: number; stopPrice?: number; symbol?: number; side?: Side }

function place({ random, userId, unique, exchange }: Wisher, terms: Terms): Wish {
  const number = unique()
  // The last three digits make the quantity the order's own; the rest is from small to more than there are funds for.
  const quantity = Math.ceil(random.skewed(0.5, random.chance(0.1) ? 5_000 : 60)) * 1_000 + (number % 1_000)
  const clientOrderId = random.chance(0.75) ? `${userId}-${number}` : ''
  const order = {
    symbol: anyMarket(random, exchange),
    side: random.pick([Side.buy, Side.sell]),
    timeInForce: TimeInForce.gtc,
    price: 0,
    stopPrice: 0,
    ...terms,
  }
  return {
    what: `order ${clientOrderId || 'without an id'} of ${userId} for ${quantity}`,
    userId,
    command: (account) => ({ kind: CommandKind.placeOrder, account, quantity, clientOrderId, ...order }),
    isRepeatable: clientOrderId !== '',
  }
}

function placeLimit(wisher: Wisher): Wish {
  const { random } = wisher
  const symbol = anyMarket(random, wisher.exchange)
  return place(wisher, {
    orderType: OrderType.limit,
    symbol,
    price: near(wisher, symbol, 30),
    timeInForce: random.pick([TimeInForce.gtc, TimeInForce.gtc, TimeInForce.gtc, TimeInForce.ioc, TimeInForce.fok]),
  })
}

function placeStop(wisher: Wisher): Wish {
  const symbol = anyMarket(wisher.random, wisher.exchange)
  const mark = wisher.exchange.mark(symbol)
  const stopPrice = near(wisher, symbol, 40)
  return place(wisher, { orderType: OrderType.stop, symbol, stopPrice, side: stopPrice > mark ? Side.buy : Side.sell })
}

function cancelOne({ random, orders, userId }: Wisher): Wish | undefined {
  if (orders.length === 0) return undefined
  const order = random.pick(orders.slice(-8))
  return repeatable(`cancel of order ${order}`, userId, (account) => ({ kind: CommandKind.cancelOrder, account, order }))
}

function moveFunds({ random, exchange, userIds, unique }: Wisher): Wish {
  const userId = random.pick(userIds)
  const reference = `funds-${unique()}`
  const asset = exchange.assetOf(random.pick(['USDT', 'ADA', 'DOT']))
  const amount = random.between(-2_000, 6_000) * whole
  return repeatable(`movement ${reference}`, userId, (account) => ({
    kind: CommandKind.moveFunds,
    account,
    asset,
    amount,
    reference,
    actor,
  }))
}

function setLimits({ random, exchange, userIds }: Wisher): Wish {
  const userId = random.pick(userIds)
  const limits = {
    symbol: random.chance(0.5) ? -1 : anyMarket(random, exchange),
    positionNotionalMax: random.pick([-1, 500, 5_000, 50_000].map(scaled)),
    leverageMaxHundredths: random.pick([-1, 50, 200, 1_000]),
    dailyLossMax: random.pick([-1, 0, 20, 100_000].map(scaled)),
  }
  return repeatable(`limits of ${userId}`, userId, (account) => ({ kind: CommandKind.setLimits, account, ...limits, actor }))
}

function setMode({ random, userIds }: Wisher): Wish {
  const userId = random.pick(userIds)
  const mode = random.pick([AccountMode.cash, AccountMode.margin, AccountMode.margin])
  return repeatable(`mode of ${userId}`, userId, (account) => ({ kind: CommandKind.setMode, account, mode, actor }))
}

function bookFill(wisher: Wisher): Wish {
  const { random, unique } = wisher
  const userId = random.pick(wisher.userIds)
  const symbol = anyMarket(random, wisher.exchange)
  const terms = { symbol, side: random.pick([Side.buy, Side.sell]), quantity: random.between(300, 9_000), price: near(wisher, symbol, 20) }
  const reference = `fill-${unique()}`
  return repeatable(`booking ${reference}`, userId, (account) => ({ kind: CommandKind.bookFill, account, ...terms, reference, actor }))
}

function setMarketStatus({ random, exchange, userId }: Wisher): Wish {
  const symbol = anyMarket(random, exchange)
  const status = random.pick([MarketStatus.open, MarketStatus.open, MarketStatus.open, MarketStatus.cancelOnly, MarketStatus.halted])
  return repeatable(`status of market ${symbol}`, userId, () => ({ kind: CommandKind.setMarketStatus, symbol, status, actor }))
}

function scaled(amount: number): number {
  return amount < 0 ? amount : amount * whole
}

function anyMarket(random: Random, exchange: Exchange): number {
  return exchange.symbolOf(random.pick(tradedMarkets).name)
}

function near({ random, exchange }: Wisher, symbol: number, ticks: number): number {
  const market = tradedMarkets.find(({ name }) => exchange.symbolOf(name) === symbol) ?? tradedMarkets[0]
  const mark = exchange.mark(symbol) || Math.round(market.price * 10 ** market.decimals)
  return Math.max(1, mark + random.between(-ticks, ticks))
}

import {
  AccountMode,
  CommandKind,
  ListKind,
  MarketStatus,
  OrderType,
  SelfTrade,
  Side,
  TimeInForce,
  TrailingUnit,
  unamended,
  TriggerPrice,
  type OrderExtras,
  type PlaceOrder,
} from '@maru/contracts'
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
  [2, placeStopLimit],
  [2, placeTrailingStop],
  [2, placeList],
  [2, amend],
  [2, replace],
  [5, cancelOne],
  [1, cancelAllAfter],
  [1, ({ userId }) => repeatable(`cancel all of ${userId}`, userId, (account) => ({ kind: CommandKind.cancelAll, account, symbol: -1 }))],
]

const operatorWishes: readonly WishKind[] = [
  [4, moveFunds],
  [3, setLimits],
  [2, setMode],
  [2, bookFill],
  [1, setMarketStatus],
  [2, transfer],
  [1, setControls],
  [1, setKillSwitch],
  [1, setMarketRules],
  [1, setFees],
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

type Terms = Partial<Pick<PlaceOrder, 'timeInForce' | 'price' | 'stopPrice' | 'symbol' | 'side' | 'extras'>> & { orderType: OrderType }

type OrderTerms = Omit<PlaceOrder, 'kind' | 'time' | 'account'>

function place(wisher: Wisher, terms: Terms): Wish {
  const order = orderOf(wisher, terms)
  const { clientOrderId, quantity } = order
  return {
    what: `order ${clientOrderId || 'without an id'} of ${wisher.userId} for ${quantity}`,
    userId: wisher.userId,
    command: (account) => ({ kind: CommandKind.placeOrder, account, ...order }),
    isRepeatable: clientOrderId !== '',
  }
}

function orderOf({ random, userId, unique, exchange }: Wisher, terms: Terms): OrderTerms {
  const number = unique()
  // The last three digits make the quantity the order's own; the rest is from small to more than there are funds for.
  const quantity = Math.ceil(random.skewed(0.5, random.chance(0.1) ? 5_000 : 60)) * 1_000 + (number % 1_000)
  const clientOrderId = random.chance(0.75) ? `${userId}-${number}` : ''
  return {
    symbol: anyMarket(random, exchange),
    side: random.pick([Side.buy, Side.sell]),
    timeInForce: TimeInForce.gtc,
    price: 0,
    stopPrice: 0,
    extras: null,
    quantity,
    clientOrderId,
    ...terms,
  }
}

function placeLimit(wisher: Wisher): Wish {
  const { random, exchange } = wisher
  const symbol = anyMarket(random, exchange)
  const price = near(wisher, symbol, 30)
  const timeInForce = random.pick([TimeInForce.gtc, TimeInForce.gtc, TimeInForce.gtc, TimeInForce.ioc, TimeInForce.fok])
  if (random.chance(0.6)) return place(wisher, { orderType: OrderType.limit, symbol, price, timeInForce })
  const isGtd = random.chance(0.3)
  const mayRest = timeInForce === TimeInForce.gtc
  const extras = extrasOf({
    isPostOnly: mayRest && random.chance(0.2),
    isReduceOnly: random.chance(0.2),
    selfTrade: random.pick([SelfTrade.expireTaker, SelfTrade.expireMaker, SelfTrade.expireBoth, SelfTrade.decrement]),
    displayQuantity: mayRest && random.chance(0.3) ? 500 : 0,
    expiresAtMs: mayRest && isGtd ? exchange.timeMs + random.between(-50, 4_000) : 0,
  })
  return place(wisher, { orderType: OrderType.limit, symbol, price, timeInForce: mayRest && isGtd ? TimeInForce.gtd : timeInForce, extras })
}

function extrasOf(extras: Partial<OrderExtras>): OrderExtras {
  return {
    isPostOnly: false,
    isReduceOnly: false,
    selfTrade: SelfTrade.expireTaker,
    trigger: TriggerPrice.lastOrMark,
    displayQuantity: 0,
    expiresAtMs: 0,
    trailingOffset: 0,
    trailingUnit: TrailingUnit.ticks,
    quoteQuantity: 0,
    ...extras,
  }
}

function placeStopLimit(wisher: Wisher): Wish {
  const { random, exchange } = wisher
  const symbol = anyMarket(random, exchange)
  const stopPrice = near(wisher, symbol, 40)
  const side = stopPrice > exchange.mark(symbol) ? Side.buy : Side.sell
  const extras = random.chance(0.5) ? null : extrasOf({ trigger: random.pick([TriggerPrice.last, TriggerPrice.mark]) })
  return place(wisher, { orderType: OrderType.stopLimit, symbol, stopPrice, side, price: near(wisher, symbol, 40), extras })
}

function placeTrailingStop(wisher: Wisher): Wish {
  const { random } = wisher
  const trailing = random.chance(0.5)
    ? { trailingOffset: random.between(1, 30) }
    : { trailingOffset: random.between(1, 200), trailingUnit: TrailingUnit.basisPoints }
  return place(wisher, { orderType: OrderType.trailingStop, symbol: anyMarket(random, wisher.exchange), extras: extrasOf(trailing) })
}

/** An OCO or a bracket around the mark. */
function placeList(wisher: Wisher): Wish {
  const { random, exchange, userId } = wisher
  const symbol = anyMarket(random, exchange)
  const exitSide = random.pick([Side.buy, Side.sell])
  const sign = exitSide === Side.sell ? 1 : -1
  const mark = exchange.mark(symbol) || 1_000
  const ticks = (away: number): number => Math.max(1, mark + sign * away)
  const entry = orderOf(wisher, { orderType: OrderType.limit, symbol, side: (1 - exitSide) as Side, price: near(wisher, symbol, 10) })
  const leg = (terms: Terms): OrderTerms => ({ ...orderOf(wisher, { symbol, side: exitSide, ...terms }), quantity: entry.quantity })
  const exits = [
    leg({ orderType: OrderType.limit, price: ticks(random.between(2, 30)) }),
    random.chance(0.5)
      ? leg({ orderType: OrderType.stop, stopPrice: ticks(-random.between(2, 30)) })
      : leg({ orderType: OrderType.trailingStop, extras: extrasOf({ trailingOffset: random.between(2, 30) }) }),
  ]
  const isOco = random.chance(0.4)
  const legs = isOco ? exits : [entry, ...exits]
  const clientListId = `list-${userId}-${wisher.unique()}`
  return repeatable(`list ${clientListId}`, userId, (account) => ({
    kind: CommandKind.placeList,
    listKind: isOco ? ListKind.oco : ListKind.bracket,
    account,
    clientListId,
    legs: legs.map((order) => ({ kind: CommandKind.placeOrder, time: 0, account, ...order })),
  }))
}

function amend({ random, orders, userId, exchange }: Wisher): Wish | undefined {
  if (orders.length === 0) return undefined
  const order = random.pick(orders.slice(-8))
  const known = exchange.order(order)
  const quantity = known && random.chance(0.6) ? Math.max(1, known.quantity + random.between(-2_000, 1_000)) : -1
  const price =
    known && known.price > 0 && (quantity === -1 || random.chance(0.3)) ? Math.max(1, known.price + random.between(-10, 10)) : -1
  const isTrailing = known?.orderType === OrderType.trailingStop && random.chance(0.5)
  const trailingOffset = isTrailing ? random.between(2, 30) : -1
  const changes = { ...unamended, order, quantity, price, trailingOffset }
  return repeatable(`amendment of order ${order}`, userId, (account) => ({ kind: CommandKind.amendOrder, account, ...changes }))
}

function replace(wisher: Wisher): Wish | undefined {
  const { random, orders, userId, exchange } = wisher
  const order = orders.length === 0 ? undefined : random.pick(orders.slice(-8))
  const symbol = order === undefined ? undefined : exchange.order(order)?.symbol
  if (order === undefined || symbol === undefined) return undefined
  const placed = orderOf(wisher, { orderType: OrderType.limit, symbol, price: near(wisher, symbol, 30) })
  const clientOrderId = placed.clientOrderId || `${userId}-${wisher.unique()}`
  return repeatable(`replacement of order ${order} by ${clientOrderId}`, userId, (account) => ({
    kind: CommandKind.replaceOrder,
    order,
    placement: { kind: CommandKind.placeOrder, time: 0, account, ...placed, clientOrderId },
  }))
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

function cancelAllAfter({ random, userId }: Wisher): Wish {
  const timeoutMs = random.pick([0, 1_000, 2_000])
  return repeatable(`timer of ${userId}`, userId, (account) => ({ kind: CommandKind.cancelAllAfter, account, timeoutMs }))
}

function transfer({ random, exchange, userIds, unique }: Wisher): Wish | undefined {
  const [userId, other] = [random.pick(userIds), random.pick(userIds)]
  const to = exchange.accountOf(other)
  if (userId === other || to < 0) return undefined
  const terms = { to, asset: exchange.assetOf(random.pick(['USDT', 'ADA', 'DOT'])), amount: random.between(1, 3_000) * whole }
  const reference = `transfer-${unique()}`
  return repeatable(`transfer ${reference}`, userId, (from) => ({ kind: CommandKind.transferFunds, from, ...terms, reference, actor }))
}

function setControls({ random, userIds }: Wisher): Wish {
  const userId = random.pick(userIds)
  const controls = {
    tradeGroup: random.pick([-1, 0, 7]),
    feeTier: random.pick([-1, 0, 1]),
    reduceOnly: random.pick([0, 0, 0, 1]),
    messagesPerSecondMax: random.pick([-1, 0, 0, 3]),
    openOrdersMax: random.pick([-1, 0, 5]),
  }
  return repeatable(`controls of ${userId}`, userId, (account) => ({ kind: CommandKind.setAccountControls, account, ...controls, actor }))
}

/** Off more often than on, so that there is trading. */
function setKillSwitch({ random, exchange, userIds }: Wisher): Wish {
  const userId = random.pick(userIds)
  const scope = random.pick(['account', 'symbol', 'all'] as const)
  const symbol = scope === 'symbol' ? anyMarket(random, exchange) : -1
  const isOn = random.chance(0.3)
  return repeatable(`kill switch of ${scope}`, userId, (account) => ({
    kind: CommandKind.setKillSwitch,
    account: scope === 'account' ? account : -1,
    symbol,
    isOn,
    byOperator: true,
    actor,
  }))
}

function setMarketRules({ random, exchange, userId }: Wisher): Wish {
  const rules = {
    symbol: anyMarket(random, exchange),
    collarPpm: random.pick([-1, 0, 2_000, 50_000]),
    limitBandPpm: random.pick([-1, 0, 20_000]),
    maintenancePpm: random.pick([-1, 50_000, 300_000]),
    haltMovePpm: random.pick([0, 0, 20_000]),
    haltWindowMs: 1_000,
    haltForMs: 500,
    auctionForMs: random.pick([0, 500]),
  }
  return repeatable(`rules of market ${rules.symbol}`, userId, () => ({ kind: CommandKind.setMarketRules, ...rules, actor }))
}

function setFees({ random, exchange, userId }: Wisher): Wish {
  const fees = {
    tier: 1,
    symbol: random.chance(0.5) ? -1 : anyMarket(random, exchange),
    makerFeePpm: 100,
    takerFeePpm: random.between(100, 900),
  }
  return repeatable('fees of tier 1', userId, () => ({ kind: CommandKind.setFees, ...fees, actor }))
}

function setMarketStatus({ random, exchange, userId }: Wisher): Wish {
  const symbol = anyMarket(random, exchange)
  const status = random.pick([MarketStatus.open, MarketStatus.open, MarketStatus.open, MarketStatus.cancelOnly, MarketStatus.halted])
  return repeatable(`status of market ${symbol}`, userId, () => ({
    kind: CommandKind.setMarketStatus,
    symbol,
    status,
    auctionMs: 0,
    actor,
  }))
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

import {
  AccountMode,
  CommandKind,
  MarketStatus,
  OrderType,
  SelfTrade,
  Side,
  TimeInForce,
  TrailingUnit,
  TriggerPrice,
  type AddMarket,
  type Command,
  type OrderExtras,
  type PlaceOrder,
  type SetAccountControls,
  type SetMarketRules,
} from '@maru/contracts/commands'
import { EventKind, Exchange, refusals, type OrderView } from '../index.ts'

/** 10^8: one whole of an asset of the test venue. */
export const one = 100_000_000
export const day = 86_400_000

export const btcTerms: Omit<AddMarket, 'kind' | 'time'> = {
  name: 'BTC/USDT',
  priceScale: 2,
  quantityScale: 5,
  tickUnits: 1,
  lotUnits: 1,
  quantityMinLots: 2,
  quantityMaxLots: 900_000_000,
  priceMaxTicks: 1_000_000_000,
  notionalMin: 10 * one,
  makerFeePpm: 500,
  takerFeePpm: 1_000,
}

/** An event by name with its fields, as tests like to read it. */
export interface SeenEvent {
  kind: keyof typeof EventKind
  fields: number[]
}

const eventNames = Object.fromEntries(Object.entries(EventKind).map(([name, kind]) => [kind, name])) as Record<
  number,
  keyof typeof EventKind
>

/** A command without its time; the venue stamps it. */
export type Unstamped = Command extends infer C ? (C extends Command ? Omit<C, 'time'> : never) : never

export type OrderRequest = Partial<Omit<PlaceOrder, 'kind' | 'time' | 'side' | 'orderType' | 'extras'>> & {
  side?: 'BUY' | 'SELL'
  type?: keyof typeof orderTypes
  tif?: keyof typeof timesInForce
  extras?: Partial<OrderExtras>
}

const orderTypes = {
  MARKET: OrderType.market,
  LIMIT: OrderType.limit,
  STOP: OrderType.stop,
  STOP_LIMIT: OrderType.stopLimit,
  TRAILING_STOP: OrderType.trailingStop,
} as const
const timesInForce = { GTC: TimeInForce.gtc, IOC: TimeInForce.ioc, FOK: TimeInForce.fok, GTD: TimeInForce.gtd } as const

export const plainExtras: OrderExtras = {
  isPostOnly: false,
  isReduceOnly: false,
  selfTrade: SelfTrade.expireTaker,
  trigger: TriggerPrice.lastOrMark,
  displayQuantity: 0,
  expiresAtMs: 0,
  trailingOffset: 0,
  trailingUnit: TrailingUnit.ticks,
  quoteQuantity: 0,
}

/** An exchange with USDT, BTC and ETH, a market BTC/USDT (and ETH/USDT on request), driven in plain words. */
export class Venue {
  exchange: Exchange
  timeMs = Date.UTC(2026, 0, 5, 12)
  readonly commands: Command[] = []

  constructor(options: { terms?: Partial<AddMarket>; secondMarket?: boolean; window?: number; rules?: number } = {}) {
    this.exchange = new Exchange(options.window === undefined ? {} : { clientOrderIdWindow: options.window })
    if (options.rules !== undefined) this.send({ kind: CommandKind.setRules, rules: options.rules, actor: 'operator' })
    for (const name of ['USDT', 'BTC', 'ETH']) this.send({ kind: CommandKind.addAsset, name, scale: 8 })
    this.send({ kind: CommandKind.addMarket, ...btcTerms, ...options.terms })
    if (options.secondMarket) this.send({ kind: CommandKind.addMarket, ...btcTerms, ...options.terms, name: 'ETH/USDT' })
  }

  send(command: Unstamped): SeenEvent[] {
    const stamped = { ...command, time: this.timeMs } as Command
    this.commands.push(stamped)
    this.exchange.apply(stamped)
    return this.events()
  }

  events(): SeenEvent[] {
    const { data, length } = this.exchange.outcome
    const events: SeenEvent[] = []
    for (let at = 0; at < length; at += data[at + 1]!) {
      events.push({ kind: eventNames[data[at]!]!, fields: Array.from(data.subarray(at + 2, at + data[at + 1]!)) })
    }
    return events
  }

  /** Opens an account with whole amounts of USDT and BTC. */
  account(userId: string, usdt = 100_000, btc = 0): number {
    const grants = [
      { asset: 0, amount: usdt * one },
      { asset: 1, amount: btc * one },
    ].filter((grant) => grant.amount > 0)
    this.send({ kind: CommandKind.openAccount, userId, grants })
    return this.exchange.accountOf(userId)
  }

  margin(account: number): void {
    this.send({ kind: CommandKind.setMode, account, mode: AccountMode.margin, actor: 'operator' })
  }

  mark(price: number, symbol = 0): SeenEvent[] {
    return this.send({ kind: CommandKind.markPrice, symbol, price })
  }

  status(status: MarketStatus, symbol = 0): SeenEvent[] {
    return this.send({ kind: CommandKind.setMarketStatus, symbol, status, auctionMs: 0, actor: 'operator' })
  }

  /** Sets rules of a market; what is not named stays. */
  rules(rules: Partial<Omit<SetMarketRules, 'kind' | 'time' | 'actor'>>): SeenEvent[] {
    const unchanged = {
      collarPpm: -1,
      limitBandPpm: -1,
      maintenancePpm: -1,
      haltMovePpm: -1,
      haltWindowMs: -1,
      haltForMs: -1,
      auctionForMs: -1,
    }
    return this.send({ kind: CommandKind.setMarketRules, symbol: 0, ...unchanged, ...rules, actor: 'operator' })
  }

  controls(account: number, controls: Partial<Omit<SetAccountControls, 'kind' | 'time' | 'account' | 'actor'>>): SeenEvent[] {
    const unchanged = { tradeGroup: -1, feeTier: -1, reduceOnly: -1, messagesPerSecondMax: -1, openOrdersMax: -1 }
    return this.send({ kind: CommandKind.setAccountControls, account, ...unchanged, ...controls, actor: 'operator' })
  }

  /** Of an account, of a market, or (neither) of all. */
  kill(isOn: boolean, scope: { account?: number; symbol?: number; byOperator?: boolean } = {}): SeenEvent[] {
    const { account = -1, symbol = -1, byOperator = true } = scope
    return this.send({ kind: CommandKind.setKillSwitch, account, symbol, isOn, byOperator, actor: 'operator' })
  }

  auction(auctionMs: number, symbol = 0): SeenEvent[] {
    return this.send({ kind: CommandKind.setMarketStatus, symbol, status: MarketStatus.auction, auctionMs, actor: 'operator' })
  }

  /** Lets time pass. */
  wait(ms: number): SeenEvent[] {
    this.timeMs += ms
    return this.send({ kind: CommandKind.tick })
  }

  place(account: number, request: OrderRequest): SeenEvent[] {
    return this.send(this.placement(account, request))
  }

  /** The command of an order. */
  placement(account: number, request: OrderRequest): Omit<PlaceOrder, 'time'> {
    const { side = 'BUY', type = 'LIMIT', tif = type === 'MARKET' ? 'IOC' : 'GTC', extras, ...rest } = request
    return {
      kind: CommandKind.placeOrder,
      account,
      symbol: 0,
      quantity: 100_000,
      price: 0,
      stopPrice: 0,
      clientOrderId: '',
      ...rest,
      extras: extras === undefined ? null : { ...plainExtras, ...extras },
      side: side === 'BUY' ? Side.buy : Side.sell,
      orderType: orderTypes[type],
      timeInForce: timesInForce[tif],
    }
  }

  /** Places an order and gives it as it stands afterwards. */
  order(account: number, request: OrderRequest): OrderView {
    const events = this.place(account, request)
    const event = events.find(({ kind }) => kind === 'orderAccepted' || kind === 'orderRejected')
    const view = event && this.exchange.order(event.fields[2]!)
    if (!view) throw new Error(`no order came of it: ${JSON.stringify(events)}`)
    return view
  }

  /** Code of the first refusal in the outcome of the last command; undefined where nothing was refused. */
  refusal(): string | undefined {
    for (const { kind, fields } of this.events()) {
      const number =
        kind === 'commandRefused' ? fields[0]! : kind === 'orderRejected' ? fields[3]! : kind === 'orderUpdated' ? fields[7]! : 0
      if (number !== 0) return refusals[number]
    }
    return undefined
  }

  total(account: number, asset = 0): number {
    return this.exchange.balance(account, asset).total
  }
  held(account: number, asset = 0): number {
    return this.exchange.balance(account, asset).held
  }
}

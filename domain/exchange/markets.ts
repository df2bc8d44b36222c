import { MarketStatus, Side, type AddMarket } from '@maru/contracts/commands'
import { amountMax } from '../money/index.ts'
import type { BookRecords } from './book-records.ts'
import { BookSide, type BookStores } from './book-side.ts'
import { ExactSum } from './exact-sum.ts'
import type { TrailHeads } from './trail-heads.ts'
import { noTrailHeads, noTrails, type TrailGroups } from './trailing.ts'
import { defaultMarketRules, type MarketRules } from './price-bands.ts'
import type { MarketView } from './views.ts'

/** An asset and its side of the books of the venue. Accounts are in `BalanceStore`. */
export class Asset {
  readonly name: string
  readonly scale: number
  readonly fees = new ExactSum()
  /** Paid into the insurance fund, and out of it: it may owe. */
  readonly insurance = new ExactSum()
  readonly insurancePaid = new ExactSum()
  readonly deposits = new ExactSum()
  readonly withdrawals = new ExactSum()
  /** First market that has it as base and the risk asset as quote, or -1: there its value is read. */
  valuationSymbol = -1
  /** First market that has it as base, or -1: a deposit enters the position there. */
  positionSymbol = -1

  constructor(name: string, scale: number) {
    this.name = name
    this.scale = scale
  }
}

/** What was agreed when a market was added. */
export type MarketTerms = Omit<AddMarket, 'kind' | 'time'>

/** A market: its terms, its prices, its book and its waiting stops. */
export class Market {
  readonly symbol: number = 0
  readonly terms: MarketTerms
  readonly base: number = 0
  readonly quote: number = 0
  /** Quote minor units of one tick times one lot. */
  readonly notionalFactor: number = 0
  /** Base minor units of one lot. */
  readonly lotFactor: number = 0
  readonly priceMax: number = 0
  readonly makerFeePpm: number = 0
  readonly takerFeePpm: number = 0
  readonly feeMaxPpm: number = 0
  /** The position limit of accounts that were given none, quote minor units. */
  readonly positionNotionalMax: number = 0
  status: MarketStatus = MarketStatus.open
  /** As it is shown; made once, since it is read for every answer. */
  readonly view: { -readonly [field in keyof MarketView]: MarketView[field] }
  rules: Readonly<MarketRules> = defaultMarketRules
  /** Its own kill switch is on. */
  isKilled = false
  /** Its own kill switch or that of all markets is on. */
  isStopped = false
  /** When a halt or an auction ends by itself, milliseconds since 1970; 0: it does not. */
  phaseEndsMs = 0
  /** What the volatility halt compares with: when its window began and at which price, and the last price that was compared. */
  readonly watched = { sinceMs: 0, price: 0, lastPrice: 0 }
  /** Ticks; 0 before the first. */
  mark = 0
  lastPrice = 0
  /** The newer of mark and last price; 0 before the first. */
  latestPrice = 0
  /** Made one after the other and nothing between, so that their records have the places that `Core` says. */
  readonly bids: BookSide
  readonly asks: BookSide
  /** Waiting stops by what triggers them: place `trigger × 2 + side`. The one nearest to its trigger is best. */
  readonly stops: readonly BookSide[]
  readonly trails: TrailGroups = noTrails()
  readonly trailHeads: readonly TrailHeads[]
  /** Stops that wait, trailing ones among them. */
  waitingCount = 0

  constructor(options: {
    symbol: number
    terms: MarketTerms
    base: number
    quote: number
    factors: Factors
    positionNotionalMax: number
    stores: BookStores & { readonly bookRecords: BookRecords; readonly waitingRecords: BookRecords }
  }) {
    const { terms, stores } = options
    this.symbol = options.symbol
    this.terms = terms
    this.base = options.base
    this.quote = options.quote
    this.notionalFactor = options.factors.notional
    this.lotFactor = options.factors.lot
    this.priceMax = terms.priceMaxTicks
    this.makerFeePpm = terms.makerFeePpm
    this.takerFeePpm = terms.takerFeePpm
    this.feeMaxPpm = Math.max(terms.makerFeePpm, terms.takerFeePpm)
    this.positionNotionalMax = options.positionNotionalMax
    this.view = {
      ...terms,
      symbol: this.symbol,
      base: this.base,
      quote: this.quote,
      notionalFactor: this.notionalFactor,
      lotFactor: this.lotFactor,
      status: this.status,
      rules: this.rules,
      isStopped: false,
      phaseEndsMs: 0,
    }
    this.bids = new BookSide('highest', stores, stores.bookRecords)
    this.asks = new BookSide('lowest', stores, stores.bookRecords)
    this.trailHeads = noTrailHeads(stores.orders, stores.levels)
    this.stops = Array.from(
      { length: 6 },
      (_, place) => new BookSide(place % 2 === Side.buy ? 'lowest' : 'highest', stores, stores.waitingRecords),
    )
  }

  /** @param endsMs when it ends by itself; 0: it does not */
  setStatus(status: MarketStatus, endsMs: number = 0): void {
    this.status = status
    this.phaseEndsMs = endsMs
    this.view.status = status
    this.view.phaseEndsMs = endsMs
  }
  setRules(rules: MarketRules): void {
    this.rules = rules
    this.view.rules = rules
  }
  setStopped(isStopped: boolean): void {
    this.isStopped = isStopped
    this.view.isStopped = isStopped
  }

  /** Wherever an order of it may rest. */
  get sides(): BookSide[] {
    return [this.bids, this.asks, ...this.stops, ...this.trails.flat().flatMap(({ byOffset }) => byOffset)]
  }

  /** What exposure is counted at: the mark, or the last price where there is none; 0 where there is neither. */
  get referencePrice(): number {
    return this.mark !== 0 ? this.mark : this.lastPrice
  }
}

export interface Factors {
  notional: number
  lot: number
}

/**
 * The whole-number factors of a market: with P = p × tickUnits × 10^-priceScale and Q = q × lotUnits × 10^-quantityScale, the notional is
 * p × q × tickUnits × lotUnits × 10^(quoteScale - priceScale - quantityScale) minor units. Undefined where a factor is not whole or too large.
 */
export function marketFactors(terms: MarketTerms, baseScale: number, quoteScale: number): Factors | undefined {
  const notional = scaled(terms.tickUnits * terms.lotUnits, quoteScale - terms.priceScale - terms.quantityScale)
  const lot = scaled(terms.lotUnits, baseScale - terms.quantityScale)
  if (notional === undefined || lot === undefined) return undefined
  return { notional, lot }
}

/** `units × 10^exponent` where that is a whole safe number of at least 1. */
function scaled(units: number, exponent: number): number | undefined {
  if (!Number.isSafeInteger(units) || units < 1) return undefined
  let value = units
  for (let step = 0; step < exponent; step++) {
    value *= 10
    if (value > amountMax) return undefined
  }
  for (let step = 0; step > exponent; step--) {
    if (value % 10 !== 0) return undefined
    value /= 10
  }
  return value
}

import { CommandKind, ListKind, MarketStatus, TrailingUnit, unamended, type OrderExtras } from '@maru/contracts/commands'
import { Exchange, OrderStatus, refusals, type OrderView } from '../index.ts'
import { one, Venue, type OrderRequest } from './venue.ts'

/** One whole coin, in lots; prices of these stories are in whole USDT. */
export const coin = 100_000
const ticks = (usdt: number): number => Math.round(usdt * 100)

/** An order in plain words: `ann buys 1 at 100`. Quantities in coins, prices in USDT. */
export interface Wish extends Omit<OrderRequest, 'quantity' | 'price' | 'stopPrice' | 'extras'> {
  as?: string
  quantity?: number
  price?: number
  stop?: number
  extras?: Partial<OrderExtras>
}

/** What of an order is changed; `trail` in USDT, `trailBy` in basis points, `expiresIn` milliseconds, `show` in coins. */
interface Amendment {
  quantity?: number
  price?: number
  stop?: number
  trail?: number
  trailBy?: number
  expiresIn?: number
  show?: number
}

export type Step =
  | { do: 'place'; who: string; order: Wish }
  | { do: 'list'; who: string; kind: keyof typeof ListKind; legs: Wish[] }
  | ({ do: 'amend'; who: string; order: string } & Amendment)
  | { do: 'replace'; who: string; order: string; by: Wish }
  | { do: 'cancel'; who: string; order: string }
  | { do: 'mark'; price: number }
  | { do: 'wait'; ms: number }
  | { do: 'status'; status: keyof typeof MarketStatus }

const statusNames = Object.fromEntries(Object.entries(OrderStatus).map(([name, status]) => [status, name])) as Record<number, string>

/**
 * A market with users who have money and coins, driven by steps and told about in short texts. With `restart` the exchange is replaced by one restored from its
 * snapshot after every step, so whatever holds without holds with it.
 */
export class Story {
  readonly #venue: Venue
  readonly #isRestarting: boolean
  readonly #orders = new Map<string, number>()
  readonly #seen = new Map<number, OrderView>()
  readonly #accounts = new Map<string, number>()

  constructor(isRestarting: boolean) {
    this.#isRestarting = isRestarting
    this.#venue = new Venue({ terms: { notionalMin: 0, quantityMinLots: 1 }, rules: 3 })
    for (const who of ['ann', 'bob', 'cat', 'dan']) this.#accounts.set(who, this.#venue.account(who, 100_000, 100))
    // A margin account without coins of its own.
    const max = this.#venue.account('max', 100_000, 0)
    this.#venue.margin(max)
    this.#accounts.set('max', max)
    this.#venue.mark(ticks(100))
  }

  get venue(): Venue {
    return this.#venue
  }

  accountOf(who: string): number {
    return this.#accounts.get(who)!
  }

  /** What the step was refused with, if it was. */
  take(step: Step): string | undefined {
    const venue = this.#venue
    const account = 'who' in step ? this.accountOf(step.who) : -1
    switch (step.do) {
      case 'place':
        venue.place(account, request(step.order))
        this.#name([step.order])
        break
      case 'list': {
        const legs = step.legs.map((leg) => ({ ...venue.placement(account, request(leg)), time: 0 }))
        venue.send({ kind: CommandKind.placeList, listKind: ListKind[step.kind], account, clientListId: '', legs })
        this.#name(step.legs)
        break
      }
      case 'amend':
        venue.send({
          kind: CommandKind.amendOrder,
          account,
          order: this.#orders.get(step.order)!,
          ...unamended,
          ...(step.quantity === undefined ? {} : { quantity: Math.round(step.quantity * coin) }),
          ...(step.price === undefined ? {} : { price: ticks(step.price) }),
          ...(step.stop === undefined ? {} : { stopPrice: ticks(step.stop) }),
          ...(step.trail === undefined ? {} : { trailingOffset: ticks(step.trail) }),
          ...(step.trailBy === undefined ? {} : { trailingOffset: step.trailBy, trailingUnit: TrailingUnit.basisPoints }),
          ...(step.expiresIn === undefined ? {} : { expiresAtMs: venue.timeMs + step.expiresIn }),
          ...(step.show === undefined ? {} : { displayQuantity: step.show * coin }),
        })
        break
      case 'replace':
        venue.send({
          kind: CommandKind.replaceOrder,
          order: this.#orders.get(step.order)!,
          placement: { ...venue.placement(account, request(step.by)), time: 0 },
        })
        this.#name([step.by])
        break
      case 'cancel':
        venue.send({ kind: CommandKind.cancelOrder, account, order: this.#orders.get(step.order) ?? 0 })
        break
      case 'mark':
        venue.mark(ticks(step.price))
        break
      case 'status':
        venue.status(MarketStatus[step.status])
        break
      case 'wait':
        venue.timeMs += step.ms
        venue.send({ kind: CommandKind.tick })
        break
      default:
        step satisfies never
    }
    for (const id of this.#orders.values()) {
      const view = venue.exchange.order(id)
      if (view) this.#seen.set(id, view)
    }
    const refusal = venue.refusal()
    if (this.#isRestarting) venue.exchange = Exchange.restore(venue.exchange.snapshot())
    return refusal
  }

  /** `filled 1 of 2 at 100.5, expired (no_liquidity)`, shortened to what there is to say. */
  order(name: string): string {
    const id = this.#orders.get(name)
    const view = id === undefined ? undefined : (this.#venue.exchange.order(id) ?? this.#seen.get(id))
    if (!view) return 'none'
    const parts = [statusNames[view.status]!]
    if (view.details?.isPending) parts.push('waiting')
    if (view.filled > 0) parts.push(`${view.filled / coin} at ${view.filledNotional / view.filled / (one / coin)}`)
    if (view.refusal !== 0) parts.push(refusals[view.refusal]!)
    return parts.join(', ')
  }

  view(name: string): OrderView {
    return this.#venue.exchange.order(this.#orders.get(name)!) ?? this.#seen.get(this.#orders.get(name)!)!
  }

  /** `1@99 | 2@101 1@102`. */
  book(): string {
    const { bids, asks } = this.#venue.exchange.book(0, 10)
    const text = (levels: typeof bids): string => levels.map(({ price, quantity }) => `${quantity / coin}@${price / 100}`).join(' ')
    return `${text(bids)} | ${text(asks)}`.trim()
  }

  /** Held USDT and coins. */
  held(who: string): string {
    const account = this.accountOf(who)
    return `${this.#venue.held(account) / one} USDT, ${this.#venue.held(account, 1) / one} BTC`
  }

  position(who: string): number {
    return (this.#venue.exchange.position(this.accountOf(who), 0)?.quantity ?? 0) / coin
  }

  /** Takes down under which numbers the orders of the last command stand: accepted or rejected, in their order. */
  #name(wishes: readonly Wish[]): void {
    const ids = this.#venue
      .events()
      .filter(({ kind }) => kind === 'orderAccepted' || kind === 'orderRejected')
      .map(({ fields }) => fields[2]!)
    for (const [at, wish] of wishes.entries()) if (wish.as !== undefined && ids[at] !== undefined) this.#orders.set(wish.as, ids[at])
  }
}

function request({ as: _name, quantity = 1, price = 0, stop = 0, ...wish }: Wish): OrderRequest {
  return { ...wish, quantity: quantity * coin, price: ticks(price), stopPrice: ticks(stop) }
}

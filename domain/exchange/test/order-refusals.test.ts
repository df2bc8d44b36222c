import { describe, expect, test } from 'vitest'
import { CommandKind, TriggerPrice } from '@maru/contracts/commands'
import { Exchange } from '../index.ts'
import { Venue, type OrderRequest } from './venue.ts'

/** A venue under rules 2 with a mark of 20,000.00, a maker on both sides, and `user`, who has 100,000 USDT and no coins; nothing was traded yet. */
class Scene extends Venue {
  readonly maker = this.account('maker', 900_000, 20)
  readonly user = this.account('user', 100_000)

  constructor() {
    super({ rules: 3 })
    this.mark(2_000_000)
    this.order(this.maker, { side: 'BUY', price: 1_990_000, quantity: 1_000_000 })
    this.order(this.maker, { side: 'SELL', price: 2_010_000, quantity: 1_000_000 })
  }
}

const past = 1
const farMs = Date.UTC(2030, 0, 1)
const nothing = (): void => undefined

function fillUpOrders(scene: Scene): void {
  for (let count = 0; count < 200; count++) scene.order(scene.user, { side: 'BUY', price: 100_000, quantity: 1_000 })
}

function withoutBook(scene: Scene): void {
  scene.send({ kind: CommandKind.cancelAll, account: scene.maker, symbol: -1 })
}

/** One row a code in the order of docs/orders.md; each order breaks the rule of its row and of later ones too. */
const rows: [code: string, prepare: (scene: Scene) => void, request: OrderRequest][] = [
  ['invalid_quantity', nothing, { type: 'TRAILING_STOP', quantity: -1, extras: { trailingOffset: 2_000_000_000 } }],
  ['invalid_trailing_delta', nothing, { type: 'TRAILING_STOP', tif: 'GTD', extras: { trailingOffset: 1_000_000_001, expiresAtMs: past } }],
  [
    'no_reference_price',
    nothing,
    { type: 'TRAILING_STOP', tif: 'GTD', extras: { trailingOffset: 5, trigger: TriggerPrice.last, expiresAtMs: past } },
  ],
  ['invalid_price', nothing, { type: 'TRAILING_STOP', side: 'SELL', tif: 'GTD', extras: { trailingOffset: 2_000_000, expiresAtMs: past } }],
  ['invalid_price', nothing, { type: 'STOP_LIMIT', stopPrice: 2_100_000, price: 0, tif: 'GTD', extras: { expiresAtMs: past } }],
  ['invalid_price', nothing, { type: 'STOP_LIMIT', stopPrice: 0, price: 1_000_000_001 }],
  ['price_out_of_range', nothing, { type: 'STOP_LIMIT', stopPrice: 2_100_000, price: 1_000_000_001, quantity: 900_000_000 }],
  ['amount_too_large', nothing, { type: 'STOP_LIMIT', stopPrice: 2_100_000, price: 1_000_000_000, quantity: 900_000_000 }],
  ['min_notional', nothing, { price: 100, quantity: 10, tif: 'GTD', extras: { expiresAtMs: past } }],
  ['invalid_expiry', nothing, { price: 2_100_000, tif: 'GTD', extras: { expiresAtMs: past, displayQuantity: 1 } }],
  ['invalid_display_quantity', nothing, { price: 2_100_000, extras: { displayQuantity: 1, isPostOnly: true } }],
  ['stop_would_trigger', nothing, { type: 'STOP_LIMIT', stopPrice: 2_000_000, price: 2_100_000, extras: { isReduceOnly: true } }],
  ['no_liquidity', withoutBook, { type: 'MARKET', extras: { isReduceOnly: true } }],
  ['post_only_would_take', nothing, { price: 2_010_000, extras: { isPostOnly: true, isReduceOnly: true } }],
  ['reduce_only_would_increase', fillUpOrders, { price: 1_000_000, extras: { isReduceOnly: true } }],
  ['open_order_limit', fillUpOrders, { price: 2_000_000, quantity: 10_000_000, tif: 'GTD', extras: { expiresAtMs: farMs } }],
  ['position_limit', nothing, { type: 'STOP_LIMIT', stopPrice: 2_100_000, price: 2_100_000, quantity: 10_000_000 }],
  ['insufficient_funds', nothing, { type: 'TRAILING_STOP', quantity: 500_000, extras: { trailingOffset: 50_000 } }],
]

describe('an order breaking several rules is refused by the first', () => {
  test.each(rows)('%s', (code, prepare, request) => {
    const scene = new Scene()
    prepare(scene)
    const before = { total: scene.total(scene.user), held: scene.held(scene.user) }
    scene.place(scene.user, { quantity: 100_000, ...request })
    expect(scene.refusal()).toBe(code)
    expect({ total: scene.total(scene.user), held: scene.held(scene.user) }).toEqual(before)
  })
})

describe('under rules 1', () => {
  test('what came with rules 2 is refused, so that replicas of a release without it agree', () => {
    const venue = new Venue()
    const user = venue.account('user')
    venue.mark(2_000_000)
    for (const request of [
      { type: 'STOP_LIMIT', price: 2_100_000, stopPrice: 2_100_000 },
      { type: 'TRAILING_STOP', extras: { trailingOffset: 5 } },
      { price: 1_000_000, extras: { isPostOnly: true } },
    ] as const) {
      venue.place(user, request)
      expect(venue.refusal()).toBe('invalid_request')
    }
    venue.send({ kind: CommandKind.tick })
    expect(venue.refusal()).toBe('invalid_request')
  })

  test('rules are switched on once, never back, and never to ones that are not known', () => {
    const venue = new Venue()
    const rules = (to: number): string | undefined => {
      venue.send({ kind: CommandKind.setRules, rules: to, actor: 'operator' })
      return venue.refusal()
    }
    expect([rules(99), rules(0), rules(1.5), venue.exchange.rules]).toEqual(['invalid_request', 'invalid_request', 'invalid_request', 1])
    expect([rules(2), venue.exchange.rules, rules(2)]).toEqual([undefined, 2, undefined])
    expect([rules(1), venue.exchange.rules]).toEqual(['already_exists', 2])
    expect(Exchange.restore(venue.exchange.snapshot()).rules).toBe(2)
  })

  test('a snapshot of rules 1 goes on under rules 2', () => {
    const venue = new Venue()
    const user = venue.account('user')
    venue.mark(2_000_000)
    const order = venue.order(user, { type: 'STOP', stopPrice: 2_100_000 })
    venue.exchange = Exchange.restore(venue.exchange.snapshot())
    venue.send({ kind: CommandKind.setRules, rules: 3, actor: 'operator' })
    venue.exchange = Exchange.restore(venue.exchange.snapshot())
    expect(venue.exchange.order(order.order)).toMatchObject({ stopPrice: 2_100_000, price: 0 })
    venue.place(user, { price: 1_000_000, extras: { isPostOnly: true } })
    expect(venue.refusal()).toBeUndefined()
    expect(venue.mark(2_100_000).map(({ kind }) => kind)).toContain('orderTriggered')
  })
})

import { describe, expect, test } from 'vitest'
import { CommandKind, MarketStatus } from '@maru/contracts/commands'
import { errorCatalogue } from '@maru/contracts/errors'
import { OrderStatus, refusals } from '../index.ts'
import { Venue, type OrderRequest } from './venue.ts'

/** A venue with a mark of 20,000.00, a maker on both sides, and `user`, who has 100,000 USDT and 1 BTC. */
class Scene extends Venue {
  readonly maker = this.account('maker', 900_000, 20)
  readonly user = this.account('user', 100_000, 1)

  constructor() {
    super({ rules: 3 })
    this.mark(2_000_000)
    this.order(this.maker, { side: 'BUY', price: 1_990_000, quantity: 1_000_000 })
    this.order(this.maker, { side: 'SELL', price: 2_010_000, quantity: 1_000_000 })
  }

  limits(limits: { position?: number; leverage?: number; loss?: number }): void {
    const { position = -1, leverage = -1, loss = -1 } = limits
    this.send({
      kind: CommandKind.setLimits,
      account: this.user,
      symbol: -1,
      positionNotionalMax: position,
      leverageMaxHundredths: leverage,
      dailyLossMax: loss,
      actor: 'operator',
    })
  }
}

const buy: OrderRequest = { side: 'BUY', price: 2_000_000, quantity: 100_000 }

/**
 * One row a code, in the order of README.md. Each order breaks the rule of its row and one or more of later rows too, so that a wrong order of
 * checks gives another code.
 */
const rows: [code: string, prepare: (scene: Scene) => void, request: (scene: Scene) => OrderRequest & { account?: number }][] = [
  ['account_not_found', () => undefined, () => ({ ...buy, account: 99, symbol: 9 })],
  ['symbol_not_found', () => undefined, () => ({ ...buy, symbol: 9, quantity: -1 })],
  ['rate_limited', overRate, () => ({ ...buy, quantity: 0 })],
  ['kill_switch', killedAndHalted, () => ({ ...buy, quantity: 0 })],
  ['market_halted', (scene) => scene.status(MarketStatus.halted), () => ({ ...buy, quantity: 0 })],
  ['cancel_only', (scene) => scene.status(MarketStatus.cancelOnly), () => ({ ...buy, quantity: 0 })],
  ['market_auction', (scene) => scene.auction(1_000), () => ({ ...buy, tif: 'IOC', quantity: 0 })],
  ['invalid_quantity', () => undefined, () => ({ ...buy, quantity: 1.5, price: -1 })],
  ['invalid_quantity', () => undefined, () => ({ ...buy, quantity: Number.NaN, price: -1 })],
  ['invalid_quantity', () => undefined, () => ({ ...buy, quantity: 2 ** 53, price: -1 })],
  ['quantity_too_small', () => undefined, () => ({ ...buy, quantity: 1, price: -1 })],
  ['quantity_too_large', () => undefined, () => ({ ...buy, quantity: 900_000_001, price: -1 })],
  ['invalid_price', () => undefined, () => ({ ...buy, price: 0, quantity: 900_000_000 })],
  ['invalid_price', () => undefined, () => ({ ...buy, type: 'STOP', stopPrice: 0.5, quantity: 900_000_000 })],
  ['price_out_of_range', () => undefined, () => ({ ...buy, price: 1_000_000_001, quantity: 900_000_000 })],
  ['price_collar', (scene) => scene.rules({ limitBandPpm: 1_000_000 }), () => ({ ...buy, price: 900_000_000, quantity: 900_000_000 })],
  ['amount_too_large', () => undefined, () => ({ ...buy, price: 1_000_000_000, quantity: 900_000_000 })],
  ['min_notional', fillUpOrders, () => ({ ...buy, price: 100, quantity: 10 })],
  ['min_notional', () => undefined, () => ({ ...buy, type: 'MARKET', quantity: 2 })],
  ['stop_would_trigger', fillUpOrders, () => ({ ...buy, type: 'STOP', stopPrice: 2_000_000 })],
  ['stop_would_trigger', fillUpOrders, () => ({ ...buy, side: 'SELL', type: 'STOP', stopPrice: 2_000_000 })],
  ['no_liquidity', withoutBook, () => ({ ...buy, type: 'MARKET', quantity: 10_000_000 })],
  ['open_order_limit', fillUpOrders, () => ({ ...buy, quantity: 10_000_000 })],
  ['liquidation', beingLiquidated, () => ({ ...buy, quantity: 4_000_000 })],
  ['reduce_only_mode', reducingAndLimited, () => ({ ...buy, quantity: 10_000_000 })],
  ['position_limit', (scene) => scene.limits({ leverage: 1 }), () => ({ ...buy, quantity: 10_000_000 })],
  ['leverage_limit', (scene) => scene.limits({ leverage: 99, loss: 0 }), () => ({ ...buy, quantity: 600_000 })],
  ['daily_loss_limit', (scene) => scene.limits({ loss: 0 }), () => ({ ...buy, quantity: 4_900_000 })],
  ['insufficient_funds', () => undefined, () => ({ ...buy, quantity: 500_000 })],
]

/** The account has 200 open orders in the market. */
function fillUpOrders(scene: Scene): void {
  for (let count = 0; count < 200; count++) scene.order(scene.user, { side: 'BUY', price: 100_000, quantity: 1_000 })
}

/** The account has had its one order of this second. */
function overRate(scene: Scene): void {
  scene.controls(scene.user, { messagesPerSecondMax: 1 })
  scene.order(scene.user, buy)
  scene.kill(true)
}

function killedAndHalted(scene: Scene): void {
  scene.kill(true, { account: scene.user })
  scene.status(MarketStatus.halted)
}

/** The account is far below its maintenance margin, and nobody buys what it has. */
function beingLiquidated(scene: Scene): void {
  scene.margin(scene.user)
  scene.order(scene.user, { side: 'BUY', type: 'MARKET', quantity: 1_000_000 })
  scene.controls(scene.user, { reduceOnly: 1 })
  scene.send({ kind: CommandKind.cancelAll, account: scene.maker, symbol: -1 })
  scene.mark(900_000)
}

function reducingAndLimited(scene: Scene): void {
  scene.controls(scene.user, { reduceOnly: 1 })
  scene.limits({ leverage: 1 })
}

function withoutBook(scene: Scene): void {
  scene.send({ kind: CommandKind.cancelAll, account: scene.maker, symbol: -1 })
}

describe('an order breaking several rules is refused by the first', () => {
  test.each(rows)('%s', (code, prepare, request) => {
    const scene = new Scene()
    prepare(scene)
    const { account = scene.user, ...order } = request(scene)
    const before = { total: scene.total(scene.user), held: scene.held(scene.user) }
    scene.place(account, order)
    expect(scene.refusal()).toBe(code)
    expect({ total: scene.total(scene.user), held: scene.held(scene.user) }).toEqual(before)
  })

  test('rows stand in the order of the refusal checks', () => {
    const documented = rows.map(([code]) => code).filter((code, at, all) => all.indexOf(code) === at)
    expect(documented).toEqual([
      'account_not_found',
      'symbol_not_found',
      'rate_limited',
      'kill_switch',
      'market_halted',
      'cancel_only',
      'market_auction',
      'invalid_quantity',
      'quantity_too_small',
      'quantity_too_large',
      'invalid_price',
      'price_out_of_range',
      'price_collar',
      'amount_too_large',
      'min_notional',
      'stop_would_trigger',
      'no_liquidity',
      'open_order_limit',
      'liquidation',
      'reduce_only_mode',
      'position_limit',
      'leverage_limit',
      'daily_loss_limit',
      'insufficient_funds',
    ])
  })

  test('no_reference_price: a market order where the market never had a price', () => {
    const venue = new Venue()
    const user = venue.account('user')
    venue.place(user, { type: 'MARKET', quantity: 100_000 })
    expect(venue.refusal()).toBe('no_reference_price')
  })
})

describe('a client order id', () => {
  test('is looked at before anything else: the repeat of an order is no order, whatever became of the market since', () => {
    const scene = new Scene()
    const first = scene.order(scene.user, { ...buy, clientOrderId: 'mine' })
    scene.status(MarketStatus.halted)
    expect(scene.place(scene.user, { ...buy, clientOrderId: 'mine' })).toEqual([
      { kind: 'orderDuplicate', fields: [scene.user, first.order, 0, 0] },
    ])
    expect(scene.place(scene.user, { ...buy, price: 1, clientOrderId: 'mine' })).toEqual([
      { kind: 'orderDuplicate', fields: [scene.user, first.order, 0, 1] },
    ])
    expect(scene.exchange.orderOfClientId(scene.user, 'mine')).toEqual({ order: first.order, refusal: 0 })
  })

  test('of a rejected order stays with its rejection', () => {
    const scene = new Scene()
    const first = scene.order(scene.user, { ...buy, quantity: 500_000, clientOrderId: 'poor' })
    expect(first).toMatchObject({ status: OrderStatus.rejected, refusal: refusals.indexOf('insufficient_funds'), clientOrderId: 'poor' })
    expect(scene.place(scene.user, { ...buy, quantity: 500_000, clientOrderId: 'poor' })[0]!.fields).toEqual([
      scene.user,
      first.order,
      refusals.indexOf('insufficient_funds'),
      0,
    ])
  })

  test('belongs to its account, and is forgotten when the window has moved past it', () => {
    const venue = new Venue({ window: 3 })
    const [ann, bob] = [venue.account('ann'), venue.account('bob')]
    const first = venue.order(ann, { ...buy, clientOrderId: 'a' })
    expect(venue.order(bob, { ...buy, clientOrderId: 'a' }).order).toBe(first.order + 1)
    venue.order(ann, { ...buy, clientOrderId: 'b' })
    expect(venue.place(ann, { ...buy, clientOrderId: 'a' })[0]!.kind).toBe('orderDuplicate')
    venue.order(ann, { ...buy, clientOrderId: 'c' })
    expect(venue.exchange.orderOfClientId(ann, 'a')).toBeUndefined()
    expect(venue.exchange.orderOfClientId(bob, 'a')).toBeDefined()
    expect(venue.order(ann, { ...buy, clientOrderId: 'a' }).status).toBe(OrderStatus.pending)
  })
})

describe('orders that no intake of ours makes', () => {
  test.each([
    ['a side that is none', { side: 7 as never }],
    ['a stop that is not GTC', { type: 'STOP' as const, tif: 'IOC' as const, stopPrice: 2_500_000 }],
    ['a client order id of 65 characters', { clientOrderId: 'x'.repeat(65) }],
  ])('%s: refused as a command, without an order', (_name, request) => {
    const scene = new Scene()
    const events =
      'side' in request
        ? scene.send({ ...scene.commands.at(-1)!, kind: CommandKind.placeOrder, side: 7 } as never)
        : scene.place(scene.user, { ...buy, ...request })
    expect(events.map(({ kind }) => kind)).toEqual(['commandRefused'])
    expect(scene.refusal()).toBe('invalid_request')
  })
})

describe('cancels', () => {
  test.each([
    [
      'a number never given',
      (scene: Scene) => scene.send({ kind: CommandKind.cancelOrder, account: scene.user, order: 999 }),
      'order_not_found',
    ],
    [
      'no number',
      (scene: Scene) => scene.send({ kind: CommandKind.cancelOrder, account: scene.user, order: Number.NaN }),
      'order_not_found',
    ],
    ["another's order", (scene: Scene) => scene.send({ kind: CommandKind.cancelOrder, account: scene.user, order: 1 }), 'order_not_found'],
    ['an unknown account', (scene: Scene) => scene.send({ kind: CommandKind.cancelOrder, account: 77, order: 1 }), 'account_not_found'],
    [
      'an unknown market',
      (scene: Scene) => scene.send({ kind: CommandKind.cancelAll, account: scene.user, symbol: 77 }),
      'symbol_not_found',
    ],
  ])('%s', (_name, cancel, code) => {
    const scene = new Scene()
    cancel(scene)
    expect(scene.refusal()).toBe(code)
  })

  test('a closed order is not open; a halted market still cancels', () => {
    const scene = new Scene()
    const { order } = scene.order(scene.user, buy)
    scene.status(MarketStatus.halted)
    expect(scene.send({ kind: CommandKind.cancelOrder, account: scene.user, order }).map(({ kind }) => kind)).toEqual(['orderUpdated'])
    scene.send({ kind: CommandKind.cancelOrder, account: scene.user, order })
    expect(scene.refusal()).toBe('order_not_open')
  })
})

test('every refusal is in the catalogue, and the first is not used', () => {
  expect(refusals.every((code) => code in errorCatalogue)).toBe(true)
  expect(refusals[0]).toBe('internal')
  expect(new Set(refusals).size).toBe(refusals.length)
})

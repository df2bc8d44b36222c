import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { CommandKind } from '@maru/contracts/commands'
import { OrderStatus } from '../index.ts'
import { Venue } from './venue.ts'

/**
 * The scenarios of liquibook, as collected in vectors/matching.json. Where one of them lets a market order rest until the other side arrives,
 * Maru expires it: the harness then sends it again after each later order, as a client would, and asks for the same fills in the end.
 */
interface Step {
  op: 'add' | 'cancel' | 'check_count' | 'check_depth' | 'mark_fills' | 'check_fills_since' | 'check_best_is'
  id: string
  side: 'BUY' | 'SELL' | 'bids' | 'asks'
  price: number
  qty: number
  conditions: string[]
  expect_match: boolean
  expect_complete: boolean
  expect_state: string
  count: number
  bids: number[][]
  asks: number[][]
  fills: { id: string; qty: number; cost: number }[]
}

const folder = process.env['MARU_TEST_DATA']
const file = folder
  ? (JSON.parse(readFileSync(join(folder, 'vectors/matching.json'), 'utf8')) as { scenarios: { id: string; steps: Step[] }[] })
  : undefined

const terms = {
  priceScale: 2,
  quantityScale: 2,
  quantityMinLots: 1,
  quantityMaxLots: 1_000_000,
  priceMaxTicks: 1_000_000,
  notionalMin: 0,
  makerFeePpm: 0,
  takerFeePpm: 0,
}

class Scenario {
  readonly venue = new Venue({ terms })
  readonly buyer = this.venue.account('buyer', 100_000)
  readonly seller = this.venue.account('seller', 0, 50_000)
  readonly names = new Map<number, string>()
  readonly orders = new Map<string, number>()
  /** Market orders that found nothing to trade with and wait to be sent again. */
  readonly waiting: { step: Step; left: number }[] = []
  fills = new Map<string, { qty: number; cost: number }>()

  place(step: Step, quantity: number): number {
    const isMarket = step.price === 0
    const order = this.venue.order(step.side === 'BUY' ? this.buyer : this.seller, {
      side: step.side as 'BUY' | 'SELL',
      type: isMarket ? 'MARKET' : 'LIMIT',
      tif: isMarket || step.conditions.includes('IOC') ? (step.conditions.includes('AON') ? 'FOK' : 'IOC') : 'GTC',
      price: step.price,
      quantity,
    })
    this.names.set(order.order, step.id)
    this.orders.set(step.id, order.order)
    for (const { kind, fields } of this.venue.events()) {
      if (kind !== 'trade') continue
      const [, , price = 0, lots = 0] = fields
      for (const id of [fields[6]!, fields[11]!]) {
        const fill = this.fills.get(this.names.get(id)!) ?? { qty: 0, cost: 0 }
        this.fills.set(this.names.get(id)!, { qty: fill.qty + lots, cost: fill.cost + lots * price })
      }
    }
    return order.filled
  }

  add(step: Step): void {
    const filled = this.place(step, step.qty)
    let matched = filled
    if (step.price === 0 && filled < step.qty) this.waiting.push({ step, left: step.qty - filled })
    else {
      for (const entry of this.waiting.filter(({ step: other }) => other.side !== step.side)) {
        const got = this.place(entry.step, entry.left)
        entry.left -= got
        matched += got
      }
    }
    expect(matched > 0, `${step.id} matches`).toBe(step.expect_match)
    expect(matched === step.qty, `${step.id} completes`).toBe(step.expect_complete)
  }

  side(name: 'bids' | 'asks') {
    return this.venue.exchange.book(0, 100)[name]
  }

  check(step: Step): void {
    if (step.op === 'check_count') {
      const side = step.side as 'bids' | 'asks'
      const waiting = this.waiting.filter(({ step: other, left }) => left > 0 && (other.side === 'BUY') === (side === 'bids')).length
      expect(this.side(side).reduce((sum, { orders }) => sum + orders, 0) + waiting).toBe(step.count)
    } else if (step.op === 'check_depth') {
      for (const side of ['bids', 'asks'] as const) {
        const expected = step[side].filter(([price]) => price !== 0)
        expect(this.side(side).map(({ price, quantity, orders }) => [price, orders, quantity])).toEqual(expected)
      }
    } else if (step.op === 'check_fills_since') {
      expect([...this.fills].map(([id, fill]) => ({ id, ...fill })).sort(byId)).toEqual([...step.fills].sort(byId))
    } else if (step.op === 'check_best_is') {
      const best = this.side(step.side as 'bids' | 'asks')[0]!
      expect(best.price).toBe(this.venue.exchange.order(this.orders.get(step.id)!)!.price)
    }
  }

  cancel(step: Step): void {
    const order = this.orders.get(step.id)!
    const isOpen = (this.venue.exchange.order(order)?.status ?? OrderStatus.filled) <= OrderStatus.partiallyFilled
    this.venue.send({ kind: CommandKind.cancelOrder, account: step.id.startsWith('bid') ? this.buyer : this.seller, order })
    const updated = this.venue.events().find(({ kind }) => kind === 'orderUpdated')
    if (isOpen) expect(updated?.fields[3]).toBe(OrderStatus.cancelled)
    else expect(this.venue.refusal()).toBe('order_not_open')
  }
}

const byId = (a: { id: string }, b: { id: string }): number => a.id.localeCompare(b.id)

if (!file) test.skip('matching vectors (MARU_TEST_DATA is not set)', () => undefined)
else {
  test('there are the 20 scenarios', () => {
    expect(file.scenarios).toHaveLength(20)
  })
  test.each(file.scenarios.map(({ id, steps }) => [id, steps] as const))('%s', (_id, steps) => {
    const scenario = new Scenario()
    for (const step of steps) {
      if (step.op === 'add') scenario.add(step)
      else if (step.op === 'cancel') scenario.cancel(step)
      else if (step.op === 'mark_fills') scenario.fills = new Map()
      else scenario.check(step)
    }
    expect(scenario.venue.exchange.reconciliation().every(({ difference }) => difference === 0n)).toBe(true)
  })
}

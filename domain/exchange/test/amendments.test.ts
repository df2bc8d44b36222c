import { describe, expect, test } from 'vitest'
import { CommandKind, TriggerPrice, unamended, type AmendOrder } from '@maru/contracts/commands'
import { Core } from '../core.ts'
import { Exchange } from '../index.ts'
import { Story, type Step } from './order-story.ts'
import { amend, bids, buy, mark, runTables, sell, type Table } from './order-tables.ts'
import { Venue } from './venue.ts'

/** What can be changed of an open order besides its quantity, price and stop price (order-changes.test.ts), and of lists. */

const trailing = (as: string, trailingOffset: number, side: 'BUY' | 'SELL' = 'SELL', who = 'ann'): Step => ({
  do: 'place',
  who,
  order: { as, side, type: 'TRAILING_STOP', extras: { trailingOffset, trigger: TriggerPrice.mark } },
})
const gtd = (as: string, expiresIn: number): Step => ({
  do: 'place',
  who: 'ann',
  order: { as, side: 'SELL', price: 101, tif: 'GTD', extras: { expiresAtMs: Date.UTC(2026, 0, 5, 12) + expiresIn } },
})
const tables: Record<string, Table> = {
  'the distance of a trailing stop': {
    'less, from the best price it has seen': {
      given: [trailing('x', 500), mark(110), mark(107)],
      when: amend('x', { trail: 4 }),
      stops: { x: 106 },
    },
    'and it is triggered there': {
      given: [...bids, trailing('x', 500), mark(110), mark(107), amend('x', { trail: 4 })],
      when: mark(106),
      orders: { x: 'filled, 1 at 99' },
    },
    more: {
      given: [trailing('x', 500), mark(110), amend('x', { trail: 10 })],
      when: mark(101),
      orders: { x: 'pending' },
      stops: { x: 100 },
    },
    'as a share': {
      given: [trailing('x', 500), mark(110)],
      when: amend('x', { trailBy: 1_000 }),
      stops: { x: 99 },
    },
    'and it goes on trailing': {
      given: [trailing('x', 500), mark(110), amend('x', { trailBy: 1_000 })],
      when: mark(120),
      stops: { x: 108 },
    },
    'so near that it is reached: it stays as it was': {
      given: [trailing('x', 500), mark(110), mark(107)],
      when: amend('x', { trail: 3 }),
      refusal: 'stop_would_trigger',
      stops: { x: 105 },
    },
    'among others that have seen less and more': {
      given: [
        trailing('far', 2_000),
        mark(120),
        mark(115),
        trailing('x', 1_000),
        mark(110),
        trailing('near', 500),
        amend('x', { trail: 6 }),
      ],
      when: mark(112),
      stops: { far: 100, x: 109, near: 107 },
    },
    'and all rise together beyond the best of all': {
      given: [
        trailing('far', 2_000),
        mark(120),
        mark(115),
        trailing('x', 1_000),
        mark(110),
        trailing('near', 500),
        amend('x', { trail: 6 }),
      ],
      when: mark(121),
      stops: { far: 101, x: 115, near: 116 },
    },
    'of one that buys, which then holds for where it stands': {
      given: [trailing('x', 500, 'BUY'), mark(90), mark(92)],
      when: amend('x', { trail: 8 }),
      stops: { x: 98 },
      held: { ann: '98.098 USDT, 0 BTC' },
    },
    'among others that buy': {
      given: [trailing('far', 2_000, 'BUY'), mark(80), mark(85), trailing('x', 1_000, 'BUY'), mark(90), trailing('near', 500, 'BUY')],
      when: amend('far', { trail: 12 }),
      stops: { far: 92, x: 95, near: 95 },
    },
    'so large that nothing is left': {
      given: [trailing('x', 500)],
      when: amend('x', { trail: 100 }),
      refusal: 'invalid_price',
      stops: { x: 95 },
    },
    none: { given: [trailing('x', 500)], when: amend('x', { trail: 0 }), refusal: 'invalid_trailing_delta', stops: { x: 95 } },
    'all of it as a share': {
      given: [trailing('x', 500)],
      when: amend('x', { trailBy: 10_000 }),
      refusal: 'invalid_trailing_delta',
    },
    'not of a stop that does not trail': {
      given: [{ do: 'place', who: 'ann', order: { as: 'x', side: 'SELL', type: 'STOP', stop: 95 } }],
      when: amend('x', { trail: 3 }),
      refusal: 'order_not_amendable',
    },
    'not the stop price of one that does': {
      given: [trailing('x', 500)],
      when: amend('x', { stop: 96 }),
      refusal: 'order_not_amendable',
    },
  },
  'the quantity of a trailing stop': {
    less: {
      given: [...bids, trailing('x', 500), mark(110), amend('x', { quantity: 0.5 })],
      when: mark(105),
      orders: { x: 'filled, 0.5 at 99' },
    },
    'more, where it stood': {
      given: [...bids, trailing('x', 500), mark(110), mark(107), amend('x', { quantity: 2 })],
      when: mark(105),
      orders: { x: 'filled, 2 at 98.5' },
    },
    'more than there is': {
      given: [trailing('x', 500), mark(110)],
      when: amend('x', { quantity: 101 }),
      refusal: 'insufficient_funds',
      stops: { x: 105 },
      held: { ann: '0 USDT, 1 BTC' },
    },
  },
  'when an order expires': {
    later: {
      given: [gtd('x', 1_000), amend('x', { expiresIn: 5_000 })],
      when: { do: 'wait', ms: 4_999 },
      orders: { x: 'pending' },
    },
    'and then it does': {
      given: [gtd('x', 1_000), amend('x', { expiresIn: 5_000 }), { do: 'wait', ms: 4_999 }],
      when: { do: 'wait', ms: 1 },
      orders: { x: 'expired' },
    },
    earlier: {
      given: [gtd('x', 5_000), amend('x', { expiresIn: 1_000 })],
      when: { do: 'wait', ms: 1_000 },
      orders: { x: 'expired' },
    },
    'later and earlier again': {
      given: [gtd('x', 1_000), amend('x', { expiresIn: 5_000 }), amend('x', { expiresIn: 2_000 })],
      when: { do: 'wait', ms: 2_000 },
      orders: { x: 'expired' },
    },
    'it keeps its place': {
      given: [gtd('x', 1_000), sell('bob', 1, 101, 'y'), amend('x', { expiresIn: 5_000 })],
      when: buy('cat', 1, 101),
      orders: { x: 'filled, 1 at 101', y: 'pending' },
    },
    'not at once': { given: [gtd('x', 1_000)], when: amend('x', { expiresIn: 0 }), refusal: 'invalid_expiry', orders: { x: 'pending' } },
    'not of one that stays until it is cancelled': {
      given: [sell('ann', 1, 101, 'x')],
      when: amend('x', { expiresIn: 1_000 }),
      refusal: 'order_not_amendable',
    },
    'of a stop, with its price': {
      given: [
        {
          do: 'place',
          who: 'ann',
          order: { as: 'x', side: 'SELL', type: 'STOP', stop: 95, tif: 'GTD', extras: { expiresAtMs: Date.UTC(2026, 0, 5, 12) + 1_000 } },
        },
        amend('x', { stop: 96, expiresIn: 3_000 }),
        { do: 'wait', ms: 2_000 },
        ...bids,
      ],
      when: mark(95.5),
      orders: { x: 'filled, 1 at 99' },
    },
  },
  'what is shown of an order': {
    'less, in its place': {
      given: [sell('ann', 3, 101, 'x'), sell('bob', 1, 101, 'y'), amend('x', { show: 1 })],
      when: buy('cat', 1.5, 101),
      orders: { x: 'partiallyFilled, 1 at 101', y: 'partiallyFilled, 0.5 at 101' },
      book: '| 1.5@101',
      held: { ann: '0 USDT, 2 BTC' },
    },
    'of which less is shown already': {
      given: [
        { do: 'place', who: 'ann', order: { as: 'x', side: 'SELL', quantity: 6, price: 101, extras: { displayQuantity: 300_000 } } },
        buy('cat', 2, 101),
        amend('x', { show: 2 }),
      ],
      when: buy('cat', 1, 101),
      orders: { x: 'partiallyFilled, 3 at 101' },
      book: '| 2@101',
    },
    'more, at the end of the queue': {
      given: [
        { do: 'place', who: 'ann', order: { as: 'x', side: 'SELL', quantity: 3, price: 101, extras: { displayQuantity: 100_000 } } },
        sell('bob', 1, 101, 'y'),
        amend('x', { show: 3 }),
      ],
      when: buy('cat', 2, 101),
      orders: { x: 'partiallyFilled, 1 at 101', y: 'filled, 1 at 101' },
      book: '| 2@101',
    },
    'and with more of it open it shows as much as before': {
      given: [
        { do: 'place', who: 'ann', order: { as: 'x', side: 'SELL', quantity: 4, price: 101, extras: { displayQuantity: 200_000 } } },
        buy('cat', 3.99, 101),
      ],
      when: amend('x', { quantity: 10 }),
      book: '| 2@101',
      held: { ann: '0 USDT, 6.01 BTC' },
    },
    'and with less open than it is to show, it shows that later': {
      given: [sell('ann', 10, 101, 'x'), buy('cat', 8, 101), amend('x', { show: 3 })],
      when: amend('x', { quantity: 20 }),
      book: '| 3@101',
    },
    'with less for it': {
      given: [sell('ann', 3, 101, 'x')],
      when: amend('x', { quantity: 2, show: 0.5 }),
      book: '| 0.5@101',
      held: { ann: '0 USDT, 2 BTC' },
    },
    'never more than it is for': {
      given: [sell('ann', 3, 101, 'x')],
      when: amend('x', { show: 4 }),
      refusal: 'invalid_display_quantity',
      book: '| 3@101',
    },
    'not in more than a hundred parts': {
      given: [sell('ann', 3, 101, 'x')],
      when: amend('x', { show: 0.02 }),
      refusal: 'invalid_display_quantity',
      book: '| 3@101',
    },
    'of a stop with a limit, once it is triggered': {
      given: [
        { do: 'place', who: 'ann', order: { as: 'x', side: 'SELL', type: 'STOP_LIMIT', quantity: 3, stop: 95, price: 94 } },
        amend('x', { show: 1 }),
      ],
      when: mark(95),
      orders: { x: 'pending' },
      book: '| 1@94',
    },
    'not of a stop': {
      given: [{ do: 'place', who: 'ann', order: { as: 'x', side: 'SELL', type: 'STOP', stop: 95 } }],
      when: amend('x', { show: 0.5 }),
      refusal: 'order_not_amendable',
    },
  },
}

runTables(tables)

describe('an amendment that changes nothing', () => {
  test.each([
    [gtd('x', 1_000), { expiresIn: 1_000, quantity: 1, price: 101 }],
    [trailing('x', 500), { trail: 5, quantity: 1 }],
    [sell('ann', 1, 101, 'x'), { show: 1 }],
  ])('of %j: nothing is told', (placed, changes) => {
    const story = new Story(false)
    story.take(placed)
    expect(story.take(amend('x', changes))).toBeUndefined()
    expect(story.venue.events().map(({ kind }) => kind)).toEqual(['commandRepeated'])
  })
})

test('an order whose expiry is put off a hundred thousand times leaves no timers behind', () => {
  const story = new Story(false)
  story.take(gtd('x', 1_000))
  for (let ms = 2_000; ms < 102_000; ms++) story.take(amend('x', { expiresIn: ms }))
  const core = new Core(100)
  const exchange = new Exchange(core)
  for (const past of story.venue.commands) exchange.apply(past)
  expect(core.timers.size).toBeLessThan(3_000)
  story.take({ do: 'wait', ms: 101_999 })
  expect(story.order('x')).toBe('expired')
})

test('what is left of an order may be less than a new one must be, and yet expire later', () => {
  const venue = new Venue({ rules: 3 })
  const [ann, bob] = [venue.account('ann', 0, 1), venue.account('bob')]
  const asked = { tif: 'GTD', extras: { expiresAtMs: venue.timeMs + 1_000 } } as const
  const { order } = venue.order(ann, { ...asked, side: 'SELL', price: 10_000, quantity: 100_000 })
  venue.place(bob, { price: 10_000, quantity: 99_999 })
  const put = (changes: Partial<AmendOrder>) => {
    venue.send({ kind: CommandKind.amendOrder, account: ann, order, ...unamended, ...changes })
    return venue.refusal()
  }
  expect(put({ expiresAtMs: venue.timeMs + 2_000 })).toBeUndefined()
  expect(venue.exchange.order(order)).toMatchObject({ details: { expiresAtMs: venue.timeMs + 2_000 } })
  expect(put({ expiresAtMs: venue.timeMs })).toBe('invalid_expiry')
  expect(put({ price: 9_999 })).toBe('quantity_too_small')
})

test.each([
  [{ trailingOffset: 5, trailingUnit: 7 as never }, 'invalid_trailing_delta'],
  [{ trailingOffset: 1.5 }, 'invalid_trailing_delta'],
  [{ trailingOffset: Number.NaN }, 'invalid_trailing_delta'],
  [{ expiresAtMs: Number.NaN }, 'invalid_expiry'],
  [{ expiresAtMs: Number.POSITIVE_INFINITY }, 'invalid_expiry'],
  [{ quantity: 1.5 }, 'invalid_quantity'],
])('%j, which no intake lets through, is refused as %s', (changes, code) => {
  const venue = new Venue({ rules: 3 })
  const ann = venue.account('ann', 0, 1)
  venue.mark(10_000)
  const extras = { trailingOffset: 500, expiresAtMs: venue.timeMs + 1_000 }
  const { order } = venue.order(ann, { side: 'SELL', type: 'TRAILING_STOP', tif: 'GTD', extras })
  venue.send({ kind: CommandKind.amendOrder, account: ann, order, ...unamended, ...changes })
  expect(venue.refusal()).toBe(code)
})

test.each([0, 1.5, Number.NaN, Number.POSITIVE_INFINITY])('nor to show %s lots', (displayQuantity) => {
  const venue = new Venue({ rules: 3 })
  const ann = venue.account('ann', 0, 1)
  const { order } = venue.order(ann, { side: 'SELL', price: 10_000 })
  venue.send({ kind: CommandKind.amendOrder, account: ann, order, ...unamended, displayQuantity })
  expect(venue.refusal()).toBe('invalid_display_quantity')
})

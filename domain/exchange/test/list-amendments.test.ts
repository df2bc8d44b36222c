import { TriggerPrice } from '@maru/contracts/commands'
import { amend, bids, buy, mark, runTables, sell, type Table } from './order-tables.ts'
import type { Step } from './order-story.ts'

/** What becomes of lists whose orders are amended: of both legs of an OCO, and of those that wait. */

/** Ann sells two coins at 110, or at the market below 95. */
const oco: Step = {
  do: 'list',
  who: 'ann',
  kind: 'oco',
  legs: [
    { as: 'profit', side: 'SELL', quantity: 2, price: 110 },
    { as: 'loss', side: 'SELL', type: 'STOP', quantity: 2, stop: 95 },
  ],
}
const bracket: Step = {
  do: 'list',
  who: 'ann',
  kind: 'bracket',
  legs: [
    { as: 'entry', quantity: 2, price: 99 },
    { as: 'profit', side: 'SELL', quantity: 2, price: 110 },
    { as: 'loss', side: 'SELL', type: 'STOP', quantity: 2, stop: 95 },
  ],
}

const tables: Record<string, Table> = {
  'an OCO': {
    'is for less by either leg, and keeps its place': {
      given: [oco, sell('bob', 1, 110, 'y'), amend('loss', { quantity: 1 })],
      when: buy('cat', 1.5, 110),
      orders: { profit: 'filled, 1 at 110', loss: 'cancelled', y: 'partiallyFilled, 0.5 at 110' },
      held: { ann: '0 USDT, 0 BTC' },
    },
    'is for more by either leg, at the end of the queue': {
      given: [oco, sell('bob', 1, 110, 'y'), amend('profit', { quantity: 3 })],
      when: buy('cat', 2, 110),
      orders: { profit: 'partiallyFilled, 1 at 110', loss: 'pending', y: 'filled, 1 at 110' },
      held: { ann: '0 USDT, 2 BTC' },
    },
    'is for more by the stop leg, which sells as much': {
      given: [...bids, oco, amend('loss', { quantity: 3 })],
      when: mark(94),
      orders: { profit: 'cancelled', loss: 'filled, 3 at 98' },
    },
    'counts what a leg has filled': {
      given: [...bids, oco, buy('cat', 0.5, 110), amend('profit', { quantity: 1.5 })],
      when: mark(94),
      orders: { profit: 'cancelled, 0.5 at 110', loss: 'filled, 1 at 99' },
    },
    'by the leg that has filled nothing': {
      given: [...bids, oco, buy('cat', 0.5, 110), amend('loss', { quantity: 1 })],
      when: mark(94),
      orders: { profit: 'cancelled, 0.5 at 110', loss: 'filled, 1 at 99' },
    },
    'for more than there is: both stay': {
      given: [...bids, oco, amend('profit', { quantity: 101 })],
      when: mark(94),
      orders: { profit: 'cancelled', loss: 'filled, 2 at 98.5' },
    },
    'for more than there is is refused': {
      given: [oco],
      when: amend('loss', { quantity: 101 }),
      refusal: 'insufficient_funds',
      book: '| 2@110',
      held: { ann: '0 USDT, 2 BTC' },
    },
    'for less, and at a price that trades at once': {
      given: [buy('cat', 1, 105), oco],
      when: amend('profit', { quantity: 1, price: 105 }),
      orders: { profit: 'filled, 1 at 105', loss: 'cancelled' },
      held: { ann: '0 USDT, 0 BTC' },
    },
    'for more, at a price that trades in part': {
      given: [buy('cat', 1, 105), oco],
      when: amend('profit', { quantity: 3, price: 105 }),
      orders: { profit: 'partiallyFilled, 1 at 105', loss: 'pending' },
      book: '| 2@105',
      held: { ann: '0 USDT, 2 BTC' },
    },
    'that buys holds for the dearer leg': {
      given: [
        {
          do: 'list',
          who: 'ann',
          kind: 'oco',
          legs: [
            { as: 'low', price: 90 },
            { as: 'high', type: 'STOP', stop: 110 },
          ],
        },
      ],
      when: amend('low', { quantity: 2 }),
      book: '2@90 |',
      held: { ann: '220.22 USDT, 0 BTC' },
    },
    'with a trailing leg, nearer': {
      given: [
        {
          do: 'list',
          who: 'ann',
          kind: 'oco',
          legs: [
            { as: 'profit', side: 'SELL', quantity: 2, price: 130 },
            { as: 'loss', side: 'SELL', type: 'TRAILING_STOP', quantity: 2, extras: { trailingOffset: 1_000 } },
          ],
        },
        mark(120),
        amend('loss', { trail: 5, quantity: 3 }),
      ],
      when: buy('cat', 1, 130),
      orders: { profit: 'partiallyFilled, 1 at 130', loss: 'pending' },
      stops: { loss: 125 },
    },
    'of which the trailing leg began below the limit leg holds for that one still': {
      given: [
        {
          do: 'list',
          who: 'ann',
          kind: 'bracket',
          legs: [
            { as: 'entry', side: 'SELL', price: 105 },
            { as: 'profit', price: 99 },
            { as: 'loss', type: 'TRAILING_STOP', extras: { trailingOffset: 500, trigger: TriggerPrice.mark } },
          ],
        },
        mark(80),
        buy('bob', 1, 105),
      ],
      when: amend('loss', { quantity: 2 }),
      book: '2@99 |',
      stops: { loss: 85 },
      held: { ann: '198.198 USDT, 0 BTC' },
    },
    'never with its legs on one side': {
      given: [oco],
      when: amend('loss', { stop: 111 }),
      refusal: 'invalid_price',
      stops: { loss: 95 },
    },
    'shows less of its limit leg': {
      given: [oco],
      when: amend('profit', { show: 0.5 }),
      book: '| 0.5@110',
      held: { ann: '0 USDT, 2 BTC' },
    },
  },
  'a bracket that waits': {
    'has exits for as much as its entry': {
      given: [...bids, bracket, amend('entry', { quantity: 3 }), sell('cat', 6, 97)],
      when: mark(94),
      orders: { entry: 'filled, 3 at 99', profit: 'cancelled', loss: 'expired, no_liquidity' },
    },
    'and protects all of it': {
      given: [bracket, amend('entry', { quantity: 3 })],
      when: sell('cat', 3, 99),
      orders: { entry: 'filled, 3 at 99', profit: 'pending', loss: 'pending' },
      book: '| 3@110',
      held: { ann: '0 USDT, 3 BTC' },
    },
    'for less': {
      given: [bracket, amend('entry', { quantity: 1 })],
      when: sell('cat', 3, 99),
      orders: { entry: 'filled, 1 at 99' },
      book: '| 2@99 1@110',
      held: { ann: '0 USDT, 1 BTC' },
    },
    'has exits at other prices': {
      given: [bracket, amend('profit', { price: 108 }), amend('loss', { stop: 96 }), sell('cat', 2, 99)],
      when: { do: 'cancel', who: 'bob', order: 'none' },
      refusal: 'order_not_found',
      orders: { profit: 'pending', loss: 'pending' },
      book: '| 2@108',
      stops: { loss: 96 },
    },
    'never with its exits on one side': {
      given: [bracket],
      when: amend('profit', { price: 95 }),
      refusal: 'invalid_price',
    },
    'not its exits alone for another quantity': {
      given: [bracket],
      when: amend('loss', { quantity: 1 }),
      refusal: 'order_not_amendable',
      orders: { loss: 'pending, waiting' },
    },
    'shows where a trailing exit would stand': {
      given: [
        {
          do: 'list',
          who: 'ann',
          kind: 'bracket',
          legs: [
            { as: 'entry', quantity: 2, price: 99 },
            { as: 'profit', side: 'SELL', quantity: 2, price: 110 },
            { as: 'loss', side: 'SELL', type: 'TRAILING_STOP', quantity: 2, extras: { trailingOffset: 500 } },
          ],
        },
      ],
      when: amend('loss', { trail: 3 }),
      orders: { loss: 'pending, waiting' },
      stops: { loss: 97 },
    },
    'with a trailing exit, nearer': {
      given: [
        {
          do: 'list',
          who: 'ann',
          kind: 'bracket',
          legs: [
            { as: 'entry', quantity: 2, price: 99 },
            { as: 'profit', side: 'SELL', quantity: 2, price: 110 },
            { as: 'loss', side: 'SELL', type: 'TRAILING_STOP', quantity: 2, extras: { trailingOffset: 500, trigger: TriggerPrice.mark } },
          ],
        },
        amend('loss', { trail: 3 }),
      ],
      when: sell('cat', 2, 99),
      orders: { loss: 'pending' },
      stops: { loss: 97 },
    },
  },
  'an order that waits for another': {
    'is for another quantity at another price': {
      given: [
        {
          do: 'list',
          who: 'ann',
          kind: 'oto',
          legs: [
            { as: 'first', quantity: 2, price: 99 },
            { as: 'second', side: 'SELL', quantity: 2, price: 105 },
          ],
        },
        amend('second', { quantity: 1, price: 104, show: 0.5 }),
      ],
      when: sell('cat', 2, 99),
      orders: { first: 'filled, 2 at 99', second: 'pending' },
      book: '| 0.5@104',
      held: { ann: '0 USDT, 1 BTC' },
    },
    'expires at another time': {
      given: [
        {
          do: 'list',
          who: 'ann',
          kind: 'oto',
          legs: [
            { as: 'first', quantity: 2, price: 99 },
            { as: 'second', side: 'SELL', price: 105, tif: 'GTD', extras: { expiresAtMs: Date.UTC(2026, 0, 5, 12) + 1_000 } },
          ],
        },
        amend('second', { expiresIn: 3_000 }),
        { do: 'wait', ms: 2_000 },
      ],
      when: sell('cat', 2, 99),
      orders: { first: 'filled, 2 at 99', second: 'pending' },
      book: '| 1@105',
    },
  },
}

runTables(tables)

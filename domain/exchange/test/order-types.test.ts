import { TrailingUnit, TriggerPrice } from '@maru/contracts/commands'
import { coin } from './order-story.ts'
import { asks, bids, buy, runTables, sell, trade, type Table } from './order-tables.ts'
import { one } from './venue.ts'

const tables: Record<string, Table> = {
  'MARKET by value': {
    'takes as many lots as the value pays for': {
      given: asks,
      when: { do: 'place', who: 'ann', order: { as: 'x', type: 'MARKET', quantity: 0, extras: { quoteQuantity: 152 * one } } },
      orders: { x: 'filled, 1.5 at 101.33333333333333' },
      book: '| 0.5@102 1@103',
    },
    'leaves out what reduce-only orders offer, and so never trades past its value': {
      given: [
        sell('bob', 1, 100),
        buy('max', 1, 100),
        { do: 'place', who: 'max', order: { as: 'r', side: 'SELL', quantity: 10, price: 110, extras: { isReduceOnly: true } } },
        sell('bob', 20, 220),
      ],
      when: { do: 'place', who: 'ann', order: { as: 'x', type: 'MARKET', quantity: 0, extras: { quoteQuantity: 1_100 * one } } },
      refusal: 'reduce_only_would_increase',
      orders: { r: 'expired, 1 at 110, reduce_only_would_increase', x: 'filled, 5 at 198' },
    },
    'sells for at most the value': {
      given: bids,
      when: {
        do: 'place',
        who: 'ann',
        order: { as: 'x', side: 'SELL', type: 'MARKET', quantity: 0, extras: { quoteQuantity: 148 * one } },
      },
      orders: { x: 'filled, 1.5 at 98.66666666666667' },
    },
    'expires where the book has less': {
      given: asks,
      when: { do: 'place', who: 'ann', order: { as: 'x', type: 'MARKET', quantity: 0, extras: { quoteQuantity: 400 * one } } },
      orders: { x: 'expired, 3 at 102, no_liquidity' },
      book: '|',
    },
    'is refused where the value does not pay for a lot': {
      given: asks,
      when: { do: 'place', who: 'ann', order: { as: 'x', type: 'MARKET', quantity: 0, extras: { quoteQuantity: 1 } } },
      refusal: 'quantity_too_small',
      orders: { x: 'rejected, quantity_too_small' },
    },
    'is refused where it cannot be paid': {
      given: [sell('bob', 100, 1_001)],
      when: { do: 'place', who: 'ann', order: { as: 'x', type: 'MARKET', quantity: 0, extras: { quoteQuantity: 100_000 * one } } },
      refusal: 'insufficient_funds',
    },
    'is refused where nobody offers': {
      when: { do: 'place', who: 'ann', order: { as: 'x', type: 'MARKET', quantity: 0, extras: { quoteQuantity: one } } },
      refusal: 'no_liquidity',
    },
  },
  STOP_LIMIT: {
    'waits out of sight and holds for its limit': {
      when: { do: 'place', who: 'ann', order: { as: 'x', type: 'STOP_LIMIT', stop: 105, price: 106 } },
      orders: { x: 'pending' },
      book: '|',
      held: { ann: '106.106 USDT, 0 BTC' },
    },
    'triggered, rests at its limit where nothing crosses': {
      given: [{ do: 'place', who: 'ann', order: { as: 'x', type: 'STOP_LIMIT', stop: 105, price: 106 } }],
      when: { do: 'mark', price: 105 },
      orders: { x: 'pending' },
      book: '1@106 |',
      held: { ann: '106.106 USDT, 0 BTC' },
    },
    'triggered, trades up to its limit and rests with the remainder': {
      given: [...asks, { do: 'place', who: 'ann', order: { as: 'x', type: 'STOP_LIMIT', stop: 101, price: 102, quantity: 3 } }],
      when: { do: 'mark', price: 101 },
      orders: { x: 'partiallyFilled, 2 at 101.5' },
      book: '1@102 | 1@103',
    },
    'IOC, triggered, takes what there is': {
      given: [...asks, { do: 'place', who: 'ann', order: { as: 'x', type: 'STOP_LIMIT', tif: 'IOC', stop: 101, price: 101, quantity: 3 } }],
      when: { do: 'mark', price: 101 },
      orders: { x: 'expired, 1 at 101' },
      book: '| 1@102 1@103',
    },
    'is refused where its stop is reached already': {
      when: { do: 'place', who: 'ann', order: { type: 'STOP_LIMIT', side: 'SELL', stop: 100, price: 99 } },
      refusal: 'stop_would_trigger',
    },
    'sells when the price falls': {
      given: [...bids, { do: 'place', who: 'ann', order: { as: 'x', type: 'STOP_LIMIT', side: 'SELL', stop: 99, price: 98, quantity: 3 } }],
      when: { do: 'mark', price: 98.5 },
      orders: { x: 'partiallyFilled, 2 at 98.5' },
      book: '1@97 | 1@98',
      held: { ann: '0 USDT, 1 BTC' },
    },
  },
  TRAILING_STOP: {
    'follows the price up and sells when it falls by its distance': {
      given: [
        ...bids,
        { do: 'place', who: 'ann', order: { as: 'x', type: 'TRAILING_STOP', side: 'SELL', extras: { trailingOffset: 300 } } },
        { do: 'mark', price: 110 },
        { do: 'mark', price: 107.01 },
      ],
      when: { do: 'mark', price: 107 },
      orders: { x: 'filled, 1 at 99' },
    },
    'does not follow back': {
      given: [
        ...bids,
        { do: 'place', who: 'ann', order: { as: 'x', type: 'TRAILING_STOP', side: 'SELL', extras: { trailingOffset: 300 } } },
        { do: 'mark', price: 98 },
      ],
      when: { do: 'mark', price: 99.5 },
      orders: { x: 'pending' },
      held: { ann: '0 USDT, 1 BTC' },
    },
    'by percentage: one and a half per cent of 200 are 3': {
      given: [
        ...bids,
        {
          do: 'place',
          who: 'ann',
          order: { as: 'x', type: 'TRAILING_STOP', side: 'SELL', extras: { trailingOffset: 150, trailingUnit: TrailingUnit.basisPoints } },
        },
        { do: 'mark', price: 200 },
        { do: 'mark', price: 197.01 },
      ],
      when: { do: 'mark', price: 197 },
      orders: { x: 'filled, 1 at 99' },
    },
    'buys when the price rises from its lowest by the distance, holding for where it began': {
      given: [
        ...asks,
        { do: 'place', who: 'ann', order: { as: 'x', type: 'TRAILING_STOP', extras: { trailingOffset: 500 } } },
        { do: 'mark', price: 90 },
      ],
      when: { do: 'mark', price: 94.99 },
      orders: { x: 'pending' },
      held: { ann: '105.105 USDT, 0 BTC' },
    },
    bought: {
      given: [
        ...asks,
        { do: 'place', who: 'ann', order: { as: 'x', type: 'TRAILING_STOP', extras: { trailingOffset: 500 } } },
        { do: 'mark', price: 90 },
      ],
      when: { do: 'mark', price: 95 },
      orders: { x: 'filled, 1 at 101' },
      held: { ann: '0 USDT, 0 BTC' },
    },
    'is refused where it would stand at or below zero': {
      when: { do: 'place', who: 'ann', order: { type: 'TRAILING_STOP', side: 'SELL', extras: { trailingOffset: 10_000 } } },
      refusal: 'invalid_price',
    },
    'is refused without a distance of at most the whole price': {
      when: {
        do: 'place',
        who: 'ann',
        order: { type: 'TRAILING_STOP', side: 'SELL', extras: { trailingOffset: 10_000, trailingUnit: TrailingUnit.basisPoints } },
      },
      refusal: 'invalid_trailing_delta',
    },
  },
  'what triggers': {
    'by mark: a trade does not': {
      given: [
        ...bids,
        { do: 'place', who: 'ann', order: { as: 'x', type: 'STOP', side: 'SELL', stop: 99.5, extras: { trigger: TriggerPrice.mark } } },
      ],
      when: { do: 'place', who: 'cat', order: { side: 'SELL', quantity: 0.01, type: 'MARKET' } },
      orders: { x: 'pending' },
    },
    'by mark: the mark does': {
      given: [
        ...bids,
        { do: 'place', who: 'ann', order: { as: 'x', type: 'STOP', side: 'SELL', stop: 99.5, extras: { trigger: TriggerPrice.mark } } },
      ],
      when: { do: 'mark', price: 99.5 },
      orders: { x: 'filled, 1 at 99' },
    },
    'by last: the mark does not': {
      given: [
        ...trade(100),
        ...bids,
        { do: 'place', who: 'ann', order: { as: 'x', type: 'STOP', side: 'SELL', stop: 99.5, extras: { trigger: TriggerPrice.last } } },
      ],
      when: { do: 'mark', price: 90 },
      orders: { x: 'pending' },
    },
    'by last: a trade does': {
      given: [
        ...trade(100),
        ...bids,
        { do: 'place', who: 'ann', order: { as: 'x', type: 'STOP', side: 'SELL', stop: 99.5, extras: { trigger: TriggerPrice.last } } },
      ],
      when: { do: 'place', who: 'cat', order: { side: 'SELL', quantity: 0.01, type: 'MARKET' } },
      orders: { x: 'filled, 1 at 98.99' },
    },
    'a trailing stop by last does not see marks': {
      given: [
        ...trade(100),
        {
          do: 'place',
          who: 'ann',
          order: { as: 'x', type: 'TRAILING_STOP', side: 'SELL', extras: { trailingOffset: 100, trigger: TriggerPrice.last } },
        },
        { do: 'mark', price: 150 },
      ],
      when: { do: 'mark', price: 90 },
      orders: { x: 'pending' },
    },
  },
  GTD: {
    'rests until its time': {
      given: [
        { do: 'place', who: 'ann', order: { as: 'x', tif: 'GTD', price: 99, extras: { expiresAtMs: Date.UTC(2026, 0, 5, 12, 0, 5) } } },
      ],
      when: { do: 'wait', ms: 4_999 },
      orders: { x: 'pending' },
      book: '1@99 |',
    },
    'expires at its time, and frees what it held': {
      given: [
        { do: 'place', who: 'ann', order: { as: 'x', tif: 'GTD', price: 99, extras: { expiresAtMs: Date.UTC(2026, 0, 5, 12, 0, 5) } } },
      ],
      when: { do: 'wait', ms: 5_000 },
      orders: { x: 'expired' },
      book: '|',
      held: { ann: '0 USDT, 0 BTC' },
    },
    'is refused with a time that is past': {
      when: { do: 'place', who: 'ann', order: { tif: 'GTD', price: 99, extras: { expiresAtMs: Date.UTC(2026, 0, 5, 12) } } },
      refusal: 'invalid_expiry',
    },
    'a stop expires as well': {
      given: [
        {
          do: 'place',
          who: 'ann',
          order: { as: 'x', type: 'STOP', tif: 'GTD', stop: 120, extras: { expiresAtMs: Date.UTC(2026, 0, 5, 12, 0, 5) } },
        },
      ],
      when: { do: 'wait', ms: 5_000 },
      orders: { x: 'expired' },
    },
  },
  'post-only': {
    rests: {
      given: asks,
      when: { do: 'place', who: 'ann', order: { as: 'x', price: 100.99, extras: { isPostOnly: true } } },
      orders: { x: 'pending' },
      book: '1@100.99 | 1@101 1@102 1@103',
    },
    'is refused where it would trade': {
      given: asks,
      when: { do: 'place', who: 'ann', order: { as: 'x', price: 101, extras: { isPostOnly: true } } },
      refusal: 'post_only_would_take',
      orders: { x: 'rejected, post_only_would_take' },
    },
    'of a stop: expires where it would trade when triggered': {
      given: [
        ...asks,
        { do: 'place', who: 'ann', order: { as: 'x', type: 'STOP_LIMIT', stop: 101, price: 102, extras: { isPostOnly: true } } },
      ],
      when: { do: 'mark', price: 101 },
      orders: { x: 'expired, post_only_would_take' },
      held: { ann: '0 USDT, 0 BTC' },
    },
  },
  'reduce-only': {
    'FOK does nothing where it could not trade whole': {
      given: [sell('bob', 1, 100), buy('max', 1, 100), ...bids],
      when: {
        do: 'place',
        who: 'max',
        order: { as: 'x', side: 'SELL', quantity: 2, price: 98, tif: 'FOK', extras: { isReduceOnly: true } },
      },
      refusal: 'fok_not_filled',
      orders: { x: 'expired, fok_not_filled' },
      position: { max: 1 },
    },
    'is refused without a position to reduce': {
      when: { do: 'place', who: 'max', order: { side: 'SELL', price: 110, extras: { isReduceOnly: true } } },
      refusal: 'reduce_only_would_increase',
    },
    'is refused on the side that would add': {
      given: [...asks, buy('max', 1, 101)],
      when: { do: 'place', who: 'max', order: { price: 90, extras: { isReduceOnly: true } } },
      refusal: 'reduce_only_would_increase',
    },
    'as taker, trades down to flat and expires': {
      given: [...asks, buy('max', 1, 101), ...bids],
      when: { do: 'place', who: 'max', order: { as: 'x', side: 'SELL', type: 'MARKET', quantity: 2, extras: { isReduceOnly: true } } },
      orders: { x: 'expired, 1 at 99, reduce_only_would_increase' },
      position: { max: 0 },
    },
    'resting, goes when the position is closed otherwise': {
      given: [
        ...asks,
        buy('max', 1, 101),
        ...bids,
        { do: 'place', who: 'max', order: { as: 'x', side: 'SELL', price: 120, extras: { isReduceOnly: true } } },
      ],
      when: { do: 'place', who: 'max', order: { side: 'SELL', type: 'MARKET' } },
      orders: { x: 'expired, reduce_only_would_increase' },
      book: '1@98 1@97 | 1@102 1@103',
    },
    'resting, trades no more than the position and then goes': {
      given: [
        sell('bob', 1, 101),
        buy('max', 1, 101),
        { do: 'place', who: 'max', order: { as: 'x', side: 'SELL', quantity: 2, price: 105, extras: { isReduceOnly: true } } },
      ],
      when: buy('ann', 2, 105, 'y'),
      orders: { x: 'expired, 1 at 105, reduce_only_would_increase', y: 'partiallyFilled, 1 at 105' },
      position: { max: 0 },
      book: '1@105 |',
    },
  },
  iceberg: {
    'shows a part': {
      when: { do: 'place', who: 'ann', order: { as: 'x', side: 'SELL', quantity: 5, price: 101, extras: { displayQuantity: coin } } },
      book: '| 1@101',
      held: { ann: '0 USDT, 5 BTC' },
    },
    'shows the next part behind those who wait at its price': {
      given: [
        { do: 'place', who: 'ann', order: { as: 'x', side: 'SELL', quantity: 5, price: 101, extras: { displayQuantity: coin } } },
        sell('bob', 1, 101, 'y'),
      ],
      when: buy('cat', 1.5, 101),
      orders: { x: 'partiallyFilled, 1 at 101', y: 'partiallyFilled, 0.5 at 101' },
      book: '| 1.5@101',
    },
    'is taken whole by who is large enough': {
      given: [{ do: 'place', who: 'ann', order: { as: 'x', side: 'SELL', quantity: 5, price: 101, extras: { displayQuantity: coin } } }],
      when: buy('cat', 6, 101, 'y'),
      orders: { x: 'filled, 5 at 101', y: 'partiallyFilled, 5 at 101' },
      book: '1@101 |',
    },
    'counts whole for a FOK': {
      given: [{ do: 'place', who: 'ann', order: { as: 'x', side: 'SELL', quantity: 5, price: 101, extras: { displayQuantity: coin } } }],
      when: { do: 'place', who: 'cat', order: { as: 'y', tif: 'FOK', quantity: 5, price: 101 } },
      orders: { y: 'filled, 5 at 101' },
    },
    'with a remainder smaller than a part shows the remainder': {
      given: [{ do: 'place', who: 'ann', order: { as: 'x', side: 'SELL', quantity: 1.5, price: 101, extras: { displayQuantity: coin } } }],
      when: buy('cat', 1, 101),
      book: '| 0.5@101',
    },
    'is refused with parts that are too small': {
      when: { do: 'place', who: 'ann', order: { side: 'SELL', quantity: 5, price: 101, extras: { displayQuantity: 4_999 } } },
      refusal: 'invalid_display_quantity',
    },
    'is refused with more shown than there is': {
      when: { do: 'place', who: 'ann', order: { side: 'SELL', quantity: 5, price: 101, extras: { displayQuantity: 6 * coin } } },
      refusal: 'invalid_display_quantity',
    },
  },
}

runTables(tables)

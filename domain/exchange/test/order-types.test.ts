import { describe, expect, test } from 'vitest'
import { SelfTrade, TrailingUnit, TriggerPrice } from '@maru/contracts/commands'
import { coin, Story, type Step } from './order-story.ts'
import { one } from './venue.ts'

interface Row {
  given?: Step[]
  when: Step
  /** Refusal of the step, where it was refused. */
  refusal?: string
  /** Orders by their names. */
  orders?: Record<string, string>
  book?: string
  held?: Record<string, string>
  position?: Record<string, number>
}

const sell = (who: string, quantity: number, price: number, as?: string): Step => ({
  do: 'place',
  who,
  order: { side: 'SELL', quantity, price, ...(as === undefined ? {} : { as }) },
})
const buy = (who: string, quantity: number, price: number, as?: string): Step => ({
  do: 'place',
  who,
  order: { side: 'BUY', quantity, price, ...(as === undefined ? {} : { as }) },
})
const trade = (price: number): Step[] => [sell('cat', 0.01, price), buy('dan', 0.01, price)]
const asks = [sell('bob', 1, 101), sell('bob', 1, 102), sell('bob', 1, 103)]
const bids = [buy('bob', 1, 99), buy('bob', 1, 98), buy('bob', 1, 97)]

const tables: Record<string, Record<string, Row>> = {
  'MARKET by value': {
    'takes as many lots as the value pays for': {
      given: asks,
      when: { do: 'place', who: 'ann', order: { as: 'x', type: 'MARKET', quantity: 0, extras: { quoteQuantity: 152 * one } } },
      orders: { x: 'filled, 1.5 at 101.33333333333333' },
      book: '| 0.5@102 1@103',
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
  'self-trade prevention': {
    EXPIRE_TAKER: {
      given: [sell('ann', 1, 101, 'm')],
      when: { do: 'place', who: 'ann', order: { as: 'x', quantity: 2, price: 101, extras: { selfTrade: SelfTrade.expireTaker } } },
      orders: { m: 'pending', x: 'expired, self_trade_prevented' },
    },
    'EXPIRE_MAKER goes on with the others': {
      given: [sell('ann', 1, 101, 'm'), sell('bob', 1, 101)],
      when: { do: 'place', who: 'ann', order: { as: 'x', quantity: 2, price: 101, extras: { selfTrade: SelfTrade.expireMaker } } },
      orders: { m: 'expired, self_trade_prevented', x: 'partiallyFilled, 1 at 101' },
      book: '1@101 |',
    },
    EXPIRE_BOTH: {
      given: [sell('ann', 1, 101, 'm'), sell('bob', 1, 101)],
      when: { do: 'place', who: 'ann', order: { as: 'x', quantity: 2, price: 101, extras: { selfTrade: SelfTrade.expireBoth } } },
      orders: { m: 'expired, self_trade_prevented', x: 'expired, self_trade_prevented' },
      book: '| 1@101',
    },
    'DECREMENT takes the smaller off both': {
      given: [sell('ann', 1, 101, 'm'), sell('bob', 1, 101)],
      when: { do: 'place', who: 'ann', order: { as: 'x', quantity: 3, price: 101, extras: { selfTrade: SelfTrade.decrement } } },
      orders: { m: 'expired, self_trade_prevented', x: 'partiallyFilled, 1 at 101' },
      book: '1@101 |',
      held: { ann: '101.101 USDT, 0 BTC' },
    },
    'DECREMENT leaves the larger maker where it is': {
      given: [sell('ann', 3, 101, 'm'), sell('bob', 1, 101)],
      when: { do: 'place', who: 'ann', order: { as: 'x', quantity: 1, price: 101, extras: { selfTrade: SelfTrade.decrement } } },
      orders: { m: 'pending', x: 'expired, self_trade_prevented' },
      book: '| 3@101',
      held: { ann: '0 USDT, 2 BTC' },
    },
    'a FOK that meets an own order is filled around it where makers expire': {
      given: [sell('ann', 1, 101, 'm'), sell('bob', 1, 101)],
      when: {
        do: 'place',
        who: 'ann',
        order: { as: 'x', tif: 'FOK', quantity: 1, price: 101, extras: { selfTrade: SelfTrade.expireMaker } },
      },
      orders: { m: 'expired, self_trade_prevented', x: 'filled, 1 at 101' },
    },
  },
  amending: {
    'a smaller quantity keeps its place': {
      given: [sell('ann', 2, 101, 'x'), sell('bob', 1, 101, 'y'), { do: 'amend', who: 'ann', order: 'x', quantity: 1 }],
      when: buy('cat', 1, 101),
      orders: { x: 'filled, 1 at 101', y: 'pending' },
    },
    'a larger quantity goes to the end': {
      given: [sell('ann', 1, 101, 'x'), sell('bob', 1, 101, 'y'), { do: 'amend', who: 'ann', order: 'x', quantity: 2 }],
      when: buy('cat', 1, 101),
      orders: { x: 'pending', y: 'filled, 1 at 101' },
      held: { ann: '0 USDT, 2 BTC' },
    },
    'a price that crosses trades at once': {
      given: [sell('bob', 1, 101), buy('ann', 2, 99, 'x')],
      when: { do: 'amend', who: 'ann', order: 'x', price: 101 },
      orders: { x: 'partiallyFilled, 1 at 101' },
      book: '1@101 |',
      held: { ann: '101.101 USDT, 0 BTC' },
    },
    'the quantity is the whole, with what is filled': {
      given: [sell('ann', 3, 101, 'x'), buy('cat', 1, 101)],
      when: { do: 'amend', who: 'ann', order: 'x', quantity: 2 },
      orders: { x: 'partiallyFilled, 1 at 101' },
      book: '| 1@101',
      held: { ann: '0 USDT, 1 BTC' },
    },
    'never to what is filled already': {
      given: [sell('ann', 3, 101, 'x'), buy('cat', 1, 101)],
      when: { do: 'amend', who: 'ann', order: 'x', quantity: 1 },
      refusal: 'invalid_quantity',
      book: '| 2@101',
    },
    'refused for lack of funds, it stays as it was, where it was': {
      given: [buy('ann', 1, 99, 'x'), buy('bob', 1, 99, 'y'), { do: 'amend', who: 'ann', order: 'x', quantity: 2_000 }],
      when: sell('cat', 1, 99),
      orders: { x: 'filled, 1 at 99', y: 'pending' },
    },
    'what it held is free for what it becomes': {
      given: [buy('ann', 1_000, 99, 'x')],
      when: { do: 'amend', who: 'ann', order: 'x', price: 99.5 },
      book: '1000@99.5 |',
      held: { ann: '99599.5 USDT, 0 BTC' },
    },
    'the stop price of a stop': {
      given: [
        ...bids,
        { do: 'place', who: 'ann', order: { as: 'x', type: 'STOP', side: 'SELL', stop: 95 } },
        { do: 'amend', who: 'ann', order: 'x', stop: 99 },
      ],
      when: { do: 'mark', price: 98.9 },
      orders: { x: 'filled, 1 at 99' },
    },
    'a post-only order that would cross': {
      given: [sell('bob', 1, 101), { do: 'place', who: 'ann', order: { as: 'x', price: 99, extras: { isPostOnly: true } } }],
      when: { do: 'amend', who: 'ann', order: 'x', price: 101 },
      refusal: 'post_only_would_take',
      book: '1@99 | 1@101',
    },
    'not the price of a stop that has none': {
      given: [{ do: 'place', who: 'ann', order: { as: 'x', type: 'STOP', side: 'SELL', stop: 95 } }],
      when: { do: 'amend', who: 'ann', order: 'x', price: 94 },
      refusal: 'order_not_amendable',
    },
  },
  'cancel-replace': {
    both: {
      given: [buy('ann', 1_000, 99, 'x')],
      when: { do: 'replace', who: 'ann', order: 'x', by: { as: 'y', quantity: 500, price: 98 } },
      orders: { x: 'cancelled', y: 'pending' },
      book: '500@98 |',
    },
    'or neither': {
      given: [buy('ann', 1_000, 99, 'x')],
      when: { do: 'replace', who: 'ann', order: 'x', by: { as: 'y', quantity: 1_000, price: 100.5 } },
      refusal: 'insufficient_funds',
      orders: { x: 'pending', y: 'rejected, insufficient_funds' },
      book: '1000@99 |',
    },
    'the other way round, without meeting itself': {
      given: [sell('ann', 1, 101, 'x'), sell('bob', 1, 101)],
      when: { do: 'replace', who: 'ann', order: 'x', by: { as: 'y', type: 'MARKET' } },
      orders: { x: 'cancelled', y: 'filled, 1 at 101' },
    },
    'not of an order that is final': {
      given: [sell('bob', 1, 101), buy('ann', 1, 101, 'x')],
      when: { do: 'replace', who: 'ann', order: 'x', by: { as: 'y', price: 98 } },
      refusal: 'order_not_open',
      orders: { y: 'none' },
    },
  },
}

for (const [title, table] of Object.entries(tables)) {
  describe(title, () => {
    for (const [name, row] of Object.entries(table)) {
      test.each([{ restart: false }, { restart: true }])(`${name} (restarted after every step: $restart)`, ({ restart }) => {
        const story = new Story(restart)
        for (const step of row.given ?? []) story.take(step)
        expect({ refusal: story.take(row.when) }).toEqual({ refusal: row.refusal ?? refusalOf(row) })
        const seen = {
          orders: Object.fromEntries(Object.keys(row.orders ?? {}).map((order) => [order, story.order(order)])),
          ...(row.book === undefined ? {} : { book: story.book() }),
          held: Object.fromEntries(Object.keys(row.held ?? {}).map((who) => [who, story.held(who)])),
          position: Object.fromEntries(Object.keys(row.position ?? {}).map((who) => [who, story.position(who)])),
        }
        const { orders = {}, book, held = {}, position = {} } = row
        expect(seen).toEqual({ orders, ...(book === undefined ? {} : { book }), held, position })
      })
    }
  })
}

/** An order that expires says why in its update: that is no refusal of the step. */
function refusalOf(row: Row): string | undefined {
  for (const text of Object.values(row.orders ?? {})) {
    const code = text.split(', ').at(-1)!
    if (text.startsWith('expired') && /^[a-z_]+$/.test(code) && code !== 'expired') return code
  }
  return undefined
}

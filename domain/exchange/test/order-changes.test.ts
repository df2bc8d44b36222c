import { SelfTrade } from '@maru/contracts/commands'
import { bids, buy, runTables, sell, type Table } from './order-tables.ts'

const tables: Record<string, Table> = {
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

runTables(tables)

import { describe, expect, test } from 'vitest'
import { CommandKind, ListKind, TrailingUnit, TriggerPrice } from '@maru/contracts/commands'
import { Story, type Step, type Wish } from './order-story.ts'
import { buy, runTables, sell, type Table } from './order-tables.ts'

const bids = [buy('bob', 5, 94), buy('bob', 5, 93)]
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
const bracket = (entry: Wish, stop: Wish = { type: 'STOP', stop: 95 }): Step => ({
  do: 'list',
  who: 'max',
  kind: 'bracket',
  legs: [
    { as: 'entry', quantity: 2, ...entry },
    { as: 'profit', side: 'SELL', quantity: 2, price: 110 },
    { as: 'loss', side: 'SELL', quantity: 2, ...stop },
  ],
})

/** Ann sells a coin and buys it back, at 99 or 5 above the lowest mark. */
const shortBracket: Step = {
  do: 'list',
  who: 'ann',
  kind: 'bracket',
  legs: [
    { as: 'entry', side: 'SELL', price: 105 },
    { as: 'profit', price: 99 },
    { as: 'loss', type: 'TRAILING_STOP', extras: { trailingOffset: 500, trailingUnit: TrailingUnit.ticks, trigger: TriggerPrice.mark } },
  ],
}

const tables: Record<string, Table> = {
  OCO: {
    'holds once for both': {
      given: [],
      when: oco,
      orders: { profit: 'pending', loss: 'pending' },
      book: '| 2@110',
      held: { ann: '0 USDT, 2 BTC' },
    },
    'holds for the dearer of two that buy': {
      given: [],
      when: {
        do: 'list',
        who: 'ann',
        kind: 'oco',
        legs: [
          { as: 'low', price: 90 },
          { as: 'high', type: 'STOP', stop: 110 },
        ],
      },
      held: { ann: '110.11 USDT, 0 BTC' },
      book: '1@90 |',
    },
    'the limit leg filled takes the stop leg with it': {
      given: [oco],
      when: buy('cat', 2, 110),
      orders: { profit: 'filled, 2 at 110', loss: 'cancelled' },
      held: { ann: '0 USDT, 0 BTC' },
    },
    'the limit leg filled in part leaves a stop for the rest': {
      given: [oco, buy('cat', 0.5, 110), ...bids],
      when: { do: 'mark', price: 95 },
      orders: { profit: 'cancelled, 0.5 at 110', loss: 'filled, 1.5 at 94' },
      held: { ann: '0 USDT, 0 BTC' },
    },
    'the stop leg triggered takes the limit leg with it before it trades': {
      given: [oco, ...bids],
      when: { do: 'mark', price: 94.5 },
      orders: { profit: 'cancelled', loss: 'filled, 2 at 94' },
      book: '3@94 5@93 |',
      held: { ann: '0 USDT, 0 BTC' },
    },
    'one leg cancelled takes the other with it': {
      given: [oco],
      when: { do: 'cancel', who: 'ann', order: 'loss' },
      orders: { profit: 'cancelled', loss: 'cancelled' },
      held: { ann: '0 USDT, 0 BTC' },
      book: '|',
    },
    'a trailing stop leg': {
      given: [
        {
          do: 'list',
          who: 'ann',
          kind: 'oco',
          legs: [
            { as: 'profit', side: 'SELL', quantity: 2, price: 130 },
            { as: 'loss', side: 'SELL', type: 'TRAILING_STOP', quantity: 2, extras: { trailingOffset: 500 } },
          ],
        },
        ...bids,
        { do: 'mark', price: 120 },
      ],
      when: { do: 'mark', price: 115 },
      orders: { profit: 'cancelled', loss: 'filled, 2 at 94' },
    },
    'legs on the wrong sides of each other are refused': {
      given: [],
      when: {
        do: 'list',
        who: 'ann',
        kind: 'oco',
        legs: [
          { as: 'profit', side: 'SELL', price: 90 },
          { as: 'loss', side: 'SELL', type: 'STOP', stop: 95 },
        ],
      },
      refusal: 'invalid_price',
      orders: { profit: 'none', loss: 'none' },
    },
    'the price of a leg can be amended': {
      given: [oco],
      when: { do: 'amend', who: 'ann', order: 'profit', price: 105 },
      book: '| 2@105',
      held: { ann: '0 USDT, 2 BTC' },
    },
    'a leg cannot be amended past the other': {
      given: [oco],
      when: { do: 'amend', who: 'ann', order: 'profit', price: 94 },
      refusal: 'invalid_price',
    },
    'is refused whole for lack of coins': {
      given: [],
      when: {
        do: 'list',
        who: 'ann',
        kind: 'oco',
        legs: [
          { as: 'profit', side: 'SELL', quantity: 101, price: 110 },
          { as: 'loss', side: 'SELL', type: 'STOP', quantity: 101, stop: 95 },
        ],
      },
      refusal: 'insufficient_funds',
      book: '|',
    },
  },
  OTO: {
    'the second waits, and holds nothing': {
      given: [],
      when: {
        do: 'list',
        who: 'ann',
        kind: 'oto',
        legs: [
          { as: 'first', price: 90 },
          { as: 'second', side: 'SELL', price: 110 },
        ],
      },
      orders: { first: 'pending', second: 'pending, waiting' },
      book: '1@90 |',
      held: { ann: '90.09 USDT, 0 BTC' },
    },
    'the second comes once the first is filled': {
      given: [
        {
          do: 'list',
          who: 'ann',
          kind: 'oto',
          legs: [
            { as: 'first', price: 90 },
            { as: 'second', side: 'SELL', price: 110 },
          ],
        },
      ],
      when: sell('cat', 1, 90),
      orders: { first: 'filled, 1 at 90', second: 'pending' },
      book: '| 1@110',
      held: { ann: '0 USDT, 1 BTC' },
    },
    'a first that fills at once brings the second at once, which may trade as well': {
      given: [sell('bob', 1, 101), ...bids],
      when: {
        do: 'list',
        who: 'ann',
        kind: 'oto',
        legs: [
          { as: 'first', type: 'MARKET' },
          { as: 'second', side: 'SELL', type: 'MARKET' },
        ],
      },
      orders: { first: 'filled, 1 at 101', second: 'filled, 1 at 94' },
    },
    'a first cancelled after a part brings the second for that part': {
      given: [
        {
          do: 'list',
          who: 'ann',
          kind: 'oto',
          legs: [
            { as: 'first', quantity: 3, price: 90 },
            { as: 'second', side: 'SELL', quantity: 3, price: 110 },
          ],
        },
        sell('cat', 1, 90),
      ],
      when: { do: 'cancel', who: 'ann', order: 'first' },
      orders: { first: 'cancelled, 1 at 90', second: 'pending' },
      book: '| 1@110',
    },
    'a first cancelled before a fill takes the second with it': {
      given: [
        {
          do: 'list',
          who: 'ann',
          kind: 'oto',
          legs: [
            { as: 'first', price: 90 },
            { as: 'second', side: 'SELL', price: 110 },
          ],
        },
      ],
      when: { do: 'cancel', who: 'ann', order: 'first' },
      orders: { first: 'cancelled', second: 'cancelled' },
    },
    'the second cancelled leaves the first': {
      given: [
        {
          do: 'list',
          who: 'ann',
          kind: 'oto',
          legs: [
            { as: 'first', price: 90 },
            { as: 'second', side: 'SELL', price: 110 },
          ],
        },
        { do: 'cancel', who: 'ann', order: 'second' },
      ],
      when: sell('cat', 1, 90),
      orders: { first: 'filled, 1 at 90', second: 'cancelled' },
      book: '|',
    },
    'a second that cannot be paid when its time comes expires': {
      given: [
        {
          do: 'list',
          who: 'ann',
          kind: 'oto',
          legs: [
            { as: 'first', price: 90 },
            { as: 'second', quantity: 1_000, price: 99 },
          ],
        },
        buy('ann', 900, 80),
      ],
      when: sell('cat', 1, 90),
      // As many as the first has filled: one, which can be paid.
      orders: { first: 'filled, 1 at 90', second: 'pending' },
      book: '1@99 900@80 |',
    },
  },
  bracket: {
    'the exits wait for the entry': {
      given: [],
      when: bracket({ price: 100 }),
      orders: { entry: 'pending', profit: 'pending, waiting', loss: 'pending, waiting' },
      book: '2@100 |',
    },
    'the entry filled brings both exits, which hold once': {
      given: [bracket({ price: 100 })],
      when: sell('cat', 2, 100),
      orders: { entry: 'filled, 2 at 100', profit: 'pending', loss: 'pending' },
      book: '| 2@110',
      position: { max: 2 },
    },
    profit: {
      given: [bracket({ price: 100 }), sell('cat', 2, 100)],
      when: buy('bob', 2, 110),
      orders: { profit: 'filled, 2 at 110', loss: 'cancelled' },
      position: { max: 0 },
    },
    loss: {
      given: [bracket({ price: 100 }), sell('cat', 2, 100), ...bids],
      when: { do: 'mark', price: 95 },
      orders: { profit: 'cancelled', loss: 'filled, 2 at 94' },
      position: { max: 0 },
    },
    'a loss leg that trails begins where the entry was filled': {
      given: [
        bracket({ price: 100 }, { type: 'TRAILING_STOP', extras: { trailingOffset: 500 } }),
        sell('cat', 2, 100),
        ...bids,
        { do: 'mark', price: 109 },
      ],
      when: { do: 'mark', price: 104 },
      orders: { profit: 'cancelled', loss: 'filled, 2 at 94' },
      position: { max: 0 },
    },
    'exits are for what the entry has filled when it is cancelled': {
      given: [bracket({ price: 100 }), sell('cat', 0.5, 100)],
      when: { do: 'cancel', who: 'max', order: 'entry' },
      orders: { entry: 'cancelled, 0.5 at 100', profit: 'pending', loss: 'pending' },
      book: '| 0.5@110',
    },
    'a stop that was passed while the entry was filled is triggered at once': {
      given: [
        ...bids,
        bracket({ price: 100 }, { type: 'STOP', stop: 95, extras: { trigger: TriggerPrice.mark } }),
        { do: 'mark', price: 94.9 },
      ],
      when: sell('cat', 2, 100),
      orders: { entry: 'filled, 2 at 100', profit: 'cancelled', loss: 'filled, 2 at 94' },
      position: { max: 0 },
    },
    'a trailing buy that begins below the limit exit holds for that one': {
      given: [shortBracket, { do: 'mark', price: 80 }],
      when: buy('bob', 1, 105),
      orders: { entry: 'filled, 1 at 105', profit: 'pending', loss: 'pending' },
      held: { ann: '99.099 USDT, 0 BTC' },
    },
    'an exit that could only reduce expires where there is nothing to reduce': {
      given: [sell('max', 4, 100), buy('cat', 4, 100), bracket({ price: 99 }, { type: 'STOP', stop: 95, extras: { isReduceOnly: true } })],
      when: sell('cat', 2, 99),
      orders: { entry: 'filled, 2 at 99', profit: 'expired, reduce_only_would_increase', loss: 'expired, reduce_only_would_increase' },
      position: { max: -2 },
    },
    'a limit exit that may not be placed leaves the stop': {
      given: [
        {
          do: 'list',
          who: 'max',
          kind: 'bracket',
          legs: [
            { as: 'entry', quantity: 2, price: 100 },
            { as: 'profit', side: 'SELL', quantity: 2, price: 105, extras: { isPostOnly: true } },
            { as: 'loss', side: 'SELL', type: 'STOP', quantity: 2, stop: 95 },
          ],
        },
        sell('cat', 0.5, 100),
        buy('bob', 1, 106),
      ],
      when: { do: 'cancel', who: 'max', order: 'entry' },
      refusal: 'post_only_would_take',
      orders: { entry: 'cancelled, 0.5 at 100', profit: 'expired, post_only_would_take', loss: 'pending' },
      held: { max: '0 USDT, 0.5 BTC' },
    },
    'exits wait for a market that is halted, and are placed when it opens': {
      given: [
        bracket({ price: 100 }),
        sell('cat', 0.5, 100),
        { do: 'status', status: 'halted' },
        { do: 'cancel', who: 'max', order: 'entry' },
      ],
      when: { do: 'status', status: 'open' },
      orders: { entry: 'cancelled, 0.5 at 100', profit: 'pending', loss: 'pending' },
      book: '| 0.5@110',
      held: { max: '0 USDT, 0.5 BTC' },
    },
    'an entry that is refused refuses all of it': {
      given: [],
      when: bracket({ quantity: 2, price: 900_000 }),
      refusal: 'position_limit',
      orders: { entry: 'none', profit: 'none', loss: 'none' },
    },
    'an exit cancelled while the entry works takes the other exit, and leaves the entry': {
      given: [bracket({ price: 100 }), { do: 'cancel', who: 'max', order: 'loss' }],
      when: sell('cat', 2, 100),
      orders: { entry: 'filled, 2 at 100', profit: 'cancelled', loss: 'cancelled' },
      book: '|',
      position: { max: 2 },
    },
  },
}

runTables(tables)

describe('a client list id', () => {
  const place = (story: Story, quantity: number): string | undefined => {
    const { venue } = story
    const account = story.accountOf('ann')
    const leg = (order: Parameters<typeof venue.placement>[1]) => ({ ...venue.placement(account, order), time: 0 })
    venue.send({
      kind: CommandKind.placeList,
      listKind: ListKind.oco,
      account,
      clientListId: 'mine',
      legs: [leg({ side: 'SELL', quantity, price: 11_000 }), leg({ side: 'SELL', type: 'STOP', quantity, stopPrice: 9_000 })],
    })
    return venue
      .events()
      .map(({ kind, fields }) => `${kind} ${fields[2]}`)
      .find((text) => text.startsWith('listDuplicate'))
  }

  test('repeated gives the first outcome, with other terms a conflict', () => {
    const story = new Story(false)
    expect(place(story, 5)).toBeUndefined()
    expect(place(story, 5)).toBe('listDuplicate 0')
    expect(place(story, 6)).toBe('listDuplicate 1')
    expect(story.venue.exchange.openOrders(story.accountOf('ann'))).toHaveLength(2)
  })
})

test('a limit exit above where its trailing stop begins never takes a cash account below zero', () => {
  const story = new Story(false)
  const ann = story.accountOf('ann')
  const { venue } = story
  for (const step of [shortBracket, { do: 'mark', price: 80 } as const, buy('bob', 1, 105)]) story.take(step)
  venue.send({
    kind: CommandKind.moveFunds,
    account: ann,
    asset: 0,
    amount: venue.held(ann) - venue.total(ann),
    reference: 'all that is available',
    actor: 'operator',
  })
  story.take(sell('bob', 1, 99))
  expect(story.order('profit')).toBe('filled, 1 at 99')
  expect(venue.total(ann)).toBeGreaterThanOrEqual(0)
})

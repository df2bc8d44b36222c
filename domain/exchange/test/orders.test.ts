import { describe, expect, test } from 'vitest'
import { CommandKind, MarketStatus } from '@maru/contracts/commands'
import { OrderStatus, refusals } from '../index.ts'
import { day, one, Venue, type OrderRequest } from './venue.ts'

/** Lots of one whole base unit. */
const btc = 100_000
const usdt = (cents: number): number => (cents * one) / 100
/** With the taker fee of a thousandth. */
const withFee = (cents: number): number => usdt(cents) + usdt(cents) / 1_000

/** `seller` offers 1 BTC at each of 20,000.00, 20,010.00 and 20,020.00, `bidder` bids 1 at 19,990.00 and 19,980.00; `taker` has money and coins. */
class Book extends Venue {
  readonly seller = this.account('seller', 0, 10)
  readonly bidder = this.account('bidder', 100_000)
  readonly taker = this.account('taker', 100_000, 10)

  constructor() {
    super()
    for (const price of [2_000_000, 2_001_000, 2_002_000]) this.order(this.seller, { side: 'SELL', price, quantity: btc })
    for (const price of [1_999_000, 1_998_000]) this.order(this.bidder, { side: 'BUY', price, quantity: btc })
  }

  ladder(): string {
    const { bids, asks } = this.exchange.book(0, 10)
    const text = (levels: typeof bids): string => levels.map(({ price, quantity }) => `${quantity / btc}@${price / 100}`).join(' ')
    return `${text(bids)} | ${text(asks)}`
  }
}

const resting = '1@19990 1@19980 | 1@20000 1@20010 1@20020'

interface Row {
  given?: (book: Book) => void
  when: OrderRequest
  status: keyof typeof OrderStatus
  filled: number
  refusal?: string
  bookAfter: string
}

const rows: Record<string, Row> = {
  'LIMIT GTC that does not cross rests': {
    when: { side: 'BUY', price: 1_999_500, quantity: btc },
    status: 'pending',
    filled: 0,
    bookAfter: '1@19995 1@19990 1@19980 | 1@20000 1@20010 1@20020',
  },
  'LIMIT GTC that crosses trades at the resting prices and rests with the remainder': {
    when: { side: 'BUY', price: 2_001_000, quantity: 3 * btc },
    status: 'partiallyFilled',
    filled: 2,
    bookAfter: '1@20010 1@19990 1@19980 | 1@20020',
  },
  'LIMIT GTC at the best price of the other side is filled whole': {
    when: { side: 'SELL', price: 1_999_000, quantity: btc },
    status: 'filled',
    filled: 1,
    bookAfter: '1@19980 | 1@20000 1@20010 1@20020',
  },
  'LIMIT IOC takes what there is and expires': {
    when: { side: 'BUY', tif: 'IOC', price: 2_000_000, quantity: 2 * btc },
    status: 'expired',
    filled: 1,
    bookAfter: '1@19990 1@19980 | 1@20010 1@20020',
  },
  'LIMIT IOC that meets nothing says so': {
    when: { side: 'BUY', tif: 'IOC', price: 1_999_999, quantity: btc },
    status: 'expired',
    filled: 0,
    refusal: 'ioc_not_filled',
    bookAfter: resting,
  },
  'LIMIT FOK is filled whole': {
    when: { side: 'BUY', tif: 'FOK', price: 2_002_000, quantity: 2.5 * btc },
    status: 'filled',
    filled: 2.5,
    bookAfter: '1@19990 1@19980 | 0.5@20020',
  },
  'LIMIT FOK or not at all': {
    when: { side: 'BUY', tif: 'FOK', price: 2_001_000, quantity: 2.5 * btc },
    status: 'expired',
    filled: 0,
    refusal: 'fok_not_filled',
    bookAfter: resting,
  },
  'MARKET takes the best prices': {
    when: { side: 'BUY', type: 'MARKET', quantity: 1.5 * btc },
    status: 'filled',
    filled: 1.5,
    bookAfter: '1@19990 1@19980 | 0.5@20010 1@20020',
  },
  'MARKET larger than the book takes all of it and expires': {
    when: { side: 'SELL', type: 'MARKET', quantity: 3 * btc },
    status: 'expired',
    filled: 2,
    refusal: 'no_liquidity',
    bookAfter: ' | 1@20000 1@20010 1@20020',
  },
  'MARKET FOK larger than the book takes nothing': {
    when: { side: 'SELL', type: 'MARKET', tif: 'FOK', quantity: 3 * btc },
    status: 'expired',
    filled: 0,
    refusal: 'fok_not_filled',
    bookAfter: resting,
  },
  'STOP waits out of sight': {
    when: { side: 'BUY', type: 'STOP', stopPrice: 2_100_000, quantity: btc },
    status: 'pending',
    filled: 0,
    bookAfter: resting,
  },
  'an order that reaches one of its own account expires there': {
    given: (book) => book.order(book.taker, { side: 'SELL', price: 2_000_500, quantity: btc }),
    when: { side: 'BUY', price: 2_002_000, quantity: 3 * btc },
    status: 'expired',
    filled: 1,
    refusal: 'self_trade_prevented',
    bookAfter: '1@19990 1@19980 | 1@20005 1@20010 1@20020',
  },
  'FOK does not count on orders behind one of its own account': {
    given: (book) => book.order(book.taker, { side: 'SELL', price: 2_000_500, quantity: btc }),
    when: { side: 'BUY', tif: 'FOK', price: 2_002_000, quantity: 2 * btc },
    status: 'expired',
    filled: 0,
    refusal: 'fok_not_filled',
    bookAfter: '1@19990 1@19980 | 1@20000 1@20005 1@20010 1@20020',
  },
}

describe('given a book of three asks and two bids', () => {
  test.each(Object.entries(rows))('%s', (_name, row) => {
    const book = new Book()
    row.given?.(book)
    const order = book.order(book.taker, row.when)
    expect(order.status).toBe(OrderStatus[row.status])
    expect(order.filled / btc).toBe(row.filled)
    expect(refusals[order.refusal]).toBe(row.refusal ?? 'internal')
    expect(book.ladder()).toBe(row.bookAfter)
  })
})

describe('money', () => {
  test('a buy pays notional and taker fee, the seller gets notional less maker fee, both fees to the venue', () => {
    const book = new Book()
    const order = book.order(book.taker, { side: 'BUY', type: 'MARKET', quantity: 2 * btc })
    expect(order).toMatchObject({ filledNotional: usdt(4_001_000), fee: usdt(4_001) })
    expect(book.total(book.taker)).toBe(usdt(10_000_000 - 4_001_000 - 4_001))
    expect(book.total(book.taker, 1)).toBe(12 * one)
    expect(book.total(book.seller)).toBe(usdt(4_001_000) - usdt(4_001) / 2)
    expect(book.exchange.reconciliation()[0]).toMatchObject({ fees: BigInt(usdt(4_001) * 1.5), difference: 0n })
  })

  test('a resting buy holds its notional and the greater fee; each fill frees what it no longer needs; closing frees all', () => {
    const book = new Book()
    const order = book.order(book.taker, { side: 'BUY', price: 1_999_500, quantity: btc })
    expect(book.held(book.taker)).toBe(usdt(1_999_500) + usdt(1_999.5))
    book.order(book.seller, { side: 'SELL', price: 1_999_500, quantity: 0.4 * btc })
    expect(book.held(book.taker)).toBe((usdt(1_999_500) + usdt(1_999.5)) * 0.6)
    book.send({ kind: CommandKind.cancelOrder, account: book.taker, order: order.order })
    expect(book.held(book.taker)).toBe(0)
  })

  test('a market buy is refused whole if what it would take costs more than there is, by one unit', () => {
    for (const [extra, code] of [
      [0, undefined],
      [-1, 'insufficient_funds'],
    ] as const) {
      const book = new Book()
      const poor = book.account('poor', 1)
      const cost = usdt(4_001_000) + usdt(4_001)
      book.send({ kind: CommandKind.moveFunds, account: poor, asset: 0, amount: cost - one + extra, reference: 'r', actor: 'operator' })
      book.place(poor, { type: 'MARKET', quantity: 2 * btc })
      expect(book.refusal()).toBe(code)
    }
  })

  test('fees round down for each fill', () => {
    const venue = new Venue({ terms: { makerFeePpm: 333, takerFeePpm: 777, notionalMin: 0 } })
    const [seller, buyer] = [venue.account('seller', 0, 1), venue.account('buyer')]
    venue.order(seller, { side: 'SELL', price: 7, quantity: 3 })
    const order = venue.order(buyer, { side: 'BUY', price: 7, quantity: 3 })
    // 21 tick-lots are 210 minor units; 777 ppm of them are 0.16317.
    expect(order).toMatchObject({ filledNotional: 210, fee: 0 })
  })
})

describe('priority', () => {
  test('the best price first, then the oldest; a cancelled and renewed order stands last', () => {
    const venue = new Venue()
    const sellers = ['a', 'b', 'c'].map((name) => venue.account(name, 0, 5))
    const [first] = sellers.map((seller) => venue.order(seller, { side: 'SELL', price: 2_000_000, quantity: btc }))
    venue.send({ kind: CommandKind.cancelOrder, account: sellers[0]!, order: first!.order })
    venue.order(sellers[0]!, { side: 'SELL', price: 2_000_000, quantity: btc })
    venue.order(sellers[2]!, { side: 'SELL', price: 1_999_900, quantity: btc })
    const buyer = venue.account('buyer')
    venue.order(buyer, { side: 'BUY', type: 'MARKET', quantity: 4 * btc })
    const makers = venue
      .events()
      .filter(({ kind }) => kind === 'trade')
      .map(({ fields }) => fields[12])
    expect(makers).toEqual([sellers[2], sellers[1], sellers[2], sellers[0]])
  })

  test('open orders are listed newest first', () => {
    const book = new Book()
    expect(book.exchange.openOrders(book.seller).map(({ price }) => price)).toEqual([2_002_000, 2_001_000, 2_000_000])
    expect(book.exchange.openOrders(book.seller, 5)).toEqual([])
  })
})

describe('stops', () => {
  test('one is woken by a trade that reaches it, and becomes a market order', () => {
    const book = new Book()
    const stop = book.order(book.bidder, { side: 'BUY', type: 'STOP', stopPrice: 2_001_000, quantity: btc })
    expect(book.held(book.bidder)).toBe(withFee(1_999_000 + 1_998_000 + 2_001_000))
    book.order(book.taker, { side: 'BUY', price: 2_000_000, quantity: btc })
    expect(book.exchange.order(stop.order)).toMatchObject({ status: OrderStatus.pending })
    book.place(book.taker, { side: 'BUY', price: 2_001_000, quantity: 0.5 * btc })
    expect(book.events().map(({ kind }) => kind)).toEqual([
      'orderAccepted',
      'trade',
      'orderUpdated',
      'orderUpdated',
      'orderTriggered',
      'trade',
      'orderUpdated',
      'trade',
      'orderUpdated',
      'orderUpdated',
    ])
    expect(book.exchange.order(stop.order)).toMatchObject({
      status: OrderStatus.filled,
      filled: btc,
      filledNotional: usdt(1_000_500 + 1_001_000),
    })
    expect(book.held(book.bidder)).toBe(withFee(1_999_000 + 1_998_000))
  })

  test('a mark wakes sells from above and buys from below, the nearest first, then the oldest', () => {
    const book = new Book()
    book.mark(1_999_500)
    const [a, b, c] = [1_990_000, 1_991_000, 1_991_000].map(
      (stopPrice) => book.order(book.taker, { side: 'SELL', type: 'STOP', stopPrice, quantity: 0.1 * btc }).order,
    )
    book.mark(1_992_000)
    expect(book.events().map(({ kind }) => kind)).toEqual(['markUpdated'])
    book.mark(1_980_000)
    expect(
      book
        .events()
        .filter(({ kind }) => kind === 'orderTriggered')
        .map(({ fields }) => fields[2]),
    ).toEqual([b, c, a])
  })

  test('one may wake the next, until none is left', () => {
    const book = new Book()
    for (const stopPrice of [1_998_000, 1_999_000]) book.order(book.seller, { side: 'SELL', type: 'STOP', stopPrice, quantity: btc })
    book.order(book.taker, { side: 'SELL', price: 1_999_000, quantity: 0.1 * btc })
    // The sale at 19,990 wakes the first, whose own rest trades at 19,980 and wakes the second.
    expect(book.events().filter(({ kind }) => kind === 'orderTriggered')).toHaveLength(2)
    expect(book.ladder()).toBe(' | 1@20000 1@20010 1@20020')
  })

  test('one that can no longer be paid expires', () => {
    const book = new Book()
    const poor = book.account('poor', 20_031)
    const stop = book.order(poor, { side: 'BUY', type: 'STOP', stopPrice: 2_001_000, quantity: btc })
    book.order(book.taker, { side: 'BUY', price: 2_001_000, quantity: 2 * btc })
    expect(book.exchange.order(stop.order)).toMatchObject({ status: OrderStatus.expired, refusal: refusals.indexOf('insufficient_funds') })
    expect(book.held(poor)).toBe(0)
  })

  test('one that finds no book expires', () => {
    const book = new Book()
    const stop = book.order(book.bidder, { side: 'BUY', type: 'STOP', stopPrice: 2_002_000, quantity: btc })
    book.order(book.taker, { side: 'BUY', price: 2_002_000, quantity: 3 * btc })
    expect(book.exchange.order(stop.order)).toMatchObject({ status: OrderStatus.expired, refusal: refusals.indexOf('no_liquidity') })
  })

  test('those passed while the market was halted wake when it opens', () => {
    const book = new Book()
    book.mark(1_999_500)
    const stop = book.order(book.taker, { side: 'SELL', type: 'STOP', stopPrice: 1_990_000, quantity: btc })
    book.status(MarketStatus.halted)
    book.mark(1_985_000)
    expect(book.exchange.order(stop.order)!.status).toBe(OrderStatus.pending)
    book.status(MarketStatus.open)
    expect(book.exchange.order(stop.order)!.status).toBe(OrderStatus.filled)
  })

  test('a stop refused by an old trade price but not by the mark of today is taken', () => {
    const book = new Book()
    book.order(book.taker, { side: 'SELL', price: 1_999_000, quantity: btc })
    book.mark(2_100_000)
    expect(book.order(book.taker, { side: 'SELL', type: 'STOP', stopPrice: 2_050_000, quantity: btc }).status).toBe(OrderStatus.pending)
  })
})

describe('the stream of an account', () => {
  test('time never runs back, whatever the commands say', () => {
    const book = new Book()
    const { timeMs } = book.exchange
    book.timeMs -= 5 * day
    const order = book.order(book.taker, { price: 1_999_500, quantity: btc })
    expect(order.createdAtMs).toBe(timeMs)
    expect(book.exchange.timeMs).toBe(timeMs)
  })
})

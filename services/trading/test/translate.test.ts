import { expect, test } from 'vitest'
import { CommandKind, ListKind, OrderType, Side, TimeInForce, type Command, type TradingEvent } from '@maru/contracts'
import { Exchange } from '@maru/domain/exchange'
import type { Unstamped } from '../intake/intake.ts'
import { genesisCommands } from '../genesis.ts'
import { canonicalJson } from '@maru/contracts/account-chain'
import { dataText, eventTextsOf, numbersOf } from '../publisher/event-texts.ts'
import { orderDataOf, translated, type Translated } from './translated.ts'

/** Every type of event, from an exchange in which all of them happen. */
function allEvents(): Translated[] {
  const exchange = new Exchange()
  const events: Translated[] = []
  let time = Date.UTC(2026, 0, 1)
  const apply = (unstamped: Unstamped): void => {
    const command = { ...unstamped, time: (time += 1) } as Command
    exchange.apply(command)
    const happened = translated(exchange, command)
    const shown = happened.filter(({ event: { type } }) => type.startsWith('order.') || type === 'trade.executed')
    expect(shown.map(({ event }) => event.data)).toEqual(orderDataOf(exchange))
    events.push(...happened)
  }
  for (const command of genesisCommands(exchange)) apply(command)
  const symbol = exchange.symbolOf('BTC/USDT')
  const [usdt, btc] = [exchange.assetOf('USDT'), exchange.assetOf('BTC')]
  const open = (userId: string): number => {
    apply({ kind: CommandKind.openAccount, userId, grants: [{ asset: usdt, amount: 100_000 * 10 ** exchange.assets[usdt]!.scale }] })
    return exchange.accountOf(userId)
  }
  const [maker, taker] = [open('maker'), open('user "with" quotes')]
  apply({
    kind: CommandKind.moveFunds,
    account: maker,
    asset: btc,
    amount: 10 ** exchange.assets[btc]!.scale,
    reference: 'r1',
    actor: 'op',
  })
  const place = (account: number, side: Side, orderType: OrderType, price: number, stopPrice = 0, quantity = 100): void =>
    apply({
      kind: CommandKind.placeOrder,
      account,
      symbol,
      side,
      orderType,
      timeInForce: orderType === OrderType.market ? TimeInForce.ioc : TimeInForce.gtc,
      quantity,
      price,
      stopPrice,
      clientOrderId: orderType === OrderType.limit ? `own-${events.length}` : '',
      extras: null,
    })
  const tick = 50_000 * 10 ** exchange.markets[symbol]!.priceScale
  place(maker, Side.sell, OrderType.limit, tick)
  place(taker, Side.buy, OrderType.market, 0)
  place(taker, Side.buy, OrderType.limit, tick, 0, 1_000_000_000)
  place(taker, Side.sell, OrderType.stop, 0, tick - 1)
  apply({ kind: CommandKind.markPrice, symbol, price: tick - 1 })
  apply({ kind: CommandKind.bookFill, account: maker, symbol, side: Side.buy, quantity: 10, price: tick, reference: 'f1', actor: 'op' })
  const limits = { positionNotionalMax: 1_000, leverageMaxHundredths: 200, dailyLossMax: 500, actor: 'op' }
  apply({ kind: CommandKind.setLimits, account: maker, symbol: -1, ...limits })
  apply({ kind: CommandKind.setLimits, account: maker, symbol, ...limits })
  apply({ kind: CommandKind.setMode, account: maker, mode: 1, actor: 'op' })
  apply({ kind: CommandKind.setRules, rules: 3, actor: 'op' })
  const leg = {
    kind: CommandKind.placeOrder,
    time: 0,
    account: taker,
    symbol,
    side: Side.buy,
    timeInForce: TimeInForce.gtc,
    quantity: 100,
  } as const
  const rest = { clientOrderId: '', extras: null }
  apply({
    kind: CommandKind.placeList,
    listKind: ListKind.oco,
    account: taker,
    clientListId: 'pair',
    legs: [
      { ...leg, ...rest, orderType: OrderType.limit, price: tick - 100, stopPrice: 0 },
      { ...leg, ...rest, orderType: OrderType.stop, price: 0, stopPrice: tick + 100 },
    ],
  })
  return events
}

const written = allEvents()
const events = written.map(({ event }) => event)

test('all types of events happened', () => {
  expect([...new Set(events.map(({ type }) => type))].sort()).toEqual([
    'account.opened',
    'fill.booked',
    'funds.moved',
    'limits.changed',
    'mode.changed',
    'order.created',
    'order.rejected',
    'order.status_updated',
    'order.triggered',
    'order_list.created',
    'trade.executed',
  ])
})

test('a plain stop that was woken says when', () => {
  const triggered = events.find(({ type }) => type === 'order.triggered') as Extract<TradingEvent, { type: 'order.triggered' }>
  expect(triggered.data.updated_at).toBe(triggered.timestamp)
  expect(triggered.data.updated_at > triggered.data.created_at).toBe(true)
})

test.each(written.map((each) => [each.event.id, each.event.type, each] as const))(
  '%s %s is canonical JSON as it is written, and read from the log is what it was',
  (_id, _type, { event, data }) => {
    expect(data).toBe(canonicalJson(event.data))
    const [read] = eventTextsOf([event]).events
    expect(dataText(read!)).toBe(data)
    expect(read).toMatchObject({ ...numbersOf(event.id), type: event.type, userId: event.user_id, sequence: event.sequence })
  },
)

import { expect, test } from 'vitest'
import { CommandKind, OrderType, Side, TimeInForce, type Command } from '@maru/contracts'
import { Exchange, OrderStatus } from '@maru/domain/exchange'
import { genesisCommands } from '../genesis.ts'
import { RecentOrders } from '../replica/recent-orders.ts'

test('the last that closed are kept, the oldest go first, however many came', () => {
  const exchange = new Exchange()
  const recent = new RecentOrders(3)
  const apply = (command: Record<string, unknown>): void => {
    exchange.apply({ time: 0, ...command } as Command)
    recent.capture(exchange)
  }
  for (const command of genesisCommands(exchange)) apply(command)
  const usdt = exchange.assetOf('USDT')
  apply({ kind: CommandKind.openAccount, userId: 'user', grants: [{ asset: usdt, amount: 10 ** 12 }] })
  const place = (): number => {
    apply({
      kind: CommandKind.placeOrder,
      account: 0,
      symbol: 0,
      side: Side.buy,
      orderType: OrderType.limit,
      timeInForce: TimeInForce.gtc,
      quantity: 100_000,
      price: 2_000,
      stopPrice: 0,
      clientOrderId: '',
      extras: null,
    })
    return exchange.outcome.data[4]!
  }
  const closed: number[] = []
  for (let count = 0; count < 10; count++) {
    const order = place()
    expect(recent.get(order)).toBeUndefined()
    apply({ kind: CommandKind.cancelOrder, account: 0, order })
    closed.push(order)
    expect(closed.filter((number) => recent.get(number) !== undefined)).toEqual(closed.slice(-3))
    expect(recent.get(order)).toMatchObject({ order, status: OrderStatus.cancelled })
    expect(recent.size).toBe(Math.min(3, closed.length))
  }
})

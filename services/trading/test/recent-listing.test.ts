import fc from 'fast-check'
import { expect, test } from 'vitest'
import { CommandKind, OrderType, Side, TimeInForce, type Command, type OrderData } from '@maru/contracts'
import { Exchange } from '@maru/domain/exchange'
import { genesisCommands } from '../genesis.ts'
import { listRecent, type ListFilter } from '../order-management/recent-listing.ts'
import { RecentOrders } from '../replica/recent-orders.ts'
import type { Replica } from '../replica/replica.ts'
import { formatId } from '../wire/order-id.ts'
import { orderData } from '../wire/wire.ts'

/** Set MARU_TEST_SEED to repeat a run; fast-check prints the seed of one that fails. */
const seed = Number(process.env['MARU_TEST_SEED'] ?? 20_261_123)

const step = fc.oneof(
  {
    weight: 12,
    arbitrary: fc.record({
      kind: fc.constant('place' as const),
      account: fc.nat(3),
      price: fc.integer({ min: 1_000, max: 1_003 }),
      side: fc.constantFrom(Side.buy, Side.sell),
    }),
  },
  { weight: 8, arbitrary: fc.record({ kind: fc.constant('cancel' as const), order: fc.nat(80) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('open' as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('unseen' as const), count: fc.nat(4) }) },
)
const filter = fc.record({
  status: fc.constantFrom(undefined, undefined, 'PENDING', 'FILLED', 'CANCELLED', 'REJECTED'),
  symbol: fc.constantFrom(undefined, undefined, 'BTC/USDT', 'ETH/USDT'),
  limit: fc.integer({ min: 1, max: 6 }),
  cursor: fc.option(fc.nat(60).map(formatId), { nil: undefined }),
  offset: fc.constantFrom(undefined, undefined, 1, 3),
})

test('what memory lists is what a list of all orders ever would be, or it says that it cannot tell', () => {
  let told = 0
  let untold = 0
  fc.assert(
    fc.property(
      fc.array(step, { minLength: 30, maxLength: 90, size: 'max' }),
      fc.array(filter, { minLength: 6, maxLength: 6 }),
      (steps, filters) => {
        const exchange = new Exchange()
        const recentOrders = new RecentOrders(12)
        const ever = new Map<number, OrderData>()
        let isSeen = true
        const apply = (command: Record<string, unknown>): void => {
          exchange.apply({ time: exchange.timeMs + 1, ...command } as Command)
          for (let number = 1; number <= exchange.lastOrder; number++) {
            const view = exchange.order(number)
            if (view) ever.set(number, orderData(exchange, view))
          }
          if (isSeen) recentOrders.capture(exchange)
          else recentOrders.skipTo(exchange)
        }
        const openAccount = (): void => {
          const grants = exchange.assets.map((_, asset) => ({ asset, amount: 10 ** 13 }))
          apply({ kind: CommandKind.openAccount, userId: `user-${exchange.accountCount}`, grants })
        }
        for (const command of genesisCommands(exchange)) apply(command)
        openAccount()
        openAccount()
        const act = (next: (typeof steps)[number]): void => {
          if (next.kind === 'open') openAccount()
          else if (next.kind === 'cancel') {
            const account = exchange.order(next.order)?.account ?? 0
            apply({ kind: CommandKind.cancelOrder, account, order: next.order })
          } else if (next.kind === 'place') {
            const { account, price, side } = next
            const symbol = (price + account) % 2
            apply({
              kind: CommandKind.placeOrder,
              account,
              symbol,
              side,
              orderType: OrderType.limit,
              timeInForce: TimeInForce.gtc,
              quantity: 1_000_000,
              price: price * 100,
              stopPrice: 0,
              clientOrderId: '',
              extras: null,
            })
          }
        }
        for (const next of steps) {
          if (next.kind !== 'unseen') act(next)
          else {
            isSeen = false
            for (let count = 0; count < next.count; count++) act({ kind: 'cancel', order: exchange.lastOrder - count })
            isSeen = true
          }
        }
        for (let account = 0; account < exchange.accountCount; account++) {
          for (const asked of filters) {
            const listed = listRecent({ exchange, recentOrders } as unknown as Replica, account, asked)
            if (listed) told += 1
            else untold += 1
            if (listed) expect(listed).toEqual(expectedOf([...ever.values()], exchange.userIdOf(account), asked))
          }
        }
      },
    ),
    { seed, numRuns: 60 },
  )
  expect(told).toBeGreaterThan(100)
  expect(untold).toBeGreaterThan(100)
})

function expectedOf(ever: readonly OrderData[], userId: string, { status, symbol, limit, cursor, offset = 0 }: ListFilter): OrderData[] {
  return ever
    .filter(
      (order) =>
        order.user_id === userId &&
        (!status || order.status === status) &&
        (!symbol || order.symbol === symbol) &&
        (!cursor || order.id < cursor),
    )
    .sort((a, b) => (a.id < b.id ? 1 : -1))
    .slice(offset, offset + limit)
}

import { CommandKind, OrderType, Side, TimeInForce, type Command } from '@maru/contracts/commands'
import { Exchange } from '@maru/domain/exchange'
import { genesisCommands } from '../services/trading/genesis.ts'

export const largeAccounts = 100_000
export const largeOrders = 100_000
const time = Date.UTC(2026, 0, 1)
const whole = 10 ** 8
/** BTC/USDT and ETH/USDT of the built-in markets, and a price with room for levels below and above. */
const books = [
  { symbol: 0, base: 1, middle: 5_000_000, lots: 100, levels: 40_000 },
  { symbol: 1, base: 2, middle: 300_000, lots: 100, levels: 20_000 },
]

/** The built-in venue with 100,000 accounts of some coins, each with an open order that has a client order id, over some 100,000 levels. */
export function largeState(): Exchange {
  const exchange = new Exchange()
  const apply = (command: Omit<Command, 'time'>): void => exchange.apply({ ...command, time } as Command)
  for (const command of genesisCommands(exchange)) apply(command)
  const grants = [0, 1, 2].map((asset) => ({ asset, amount: 100 * whole * (asset === 0 ? 1_000 : 1) }))
  for (let account = 0; account < largeAccounts; account++)
    apply({ kind: CommandKind.openAccount, userId: userIdOf(account), grants } as never)
  for (let order = 0; order < largeOrders; order++) {
    const { symbol, middle, lots, levels } = books[order % 2]!
    const side = (order >> 1) % 2 === 0 ? Side.buy : Side.sell
    // Strides without a common divisor: neither accounts nor prices come in the order of memory.
    const away = 1 + ((order * 7_919) % levels)
    apply({
      kind: CommandKind.placeOrder,
      account: (order * 104_729) % largeAccounts,
      symbol,
      side,
      orderType: OrderType.limit,
      timeInForce: TimeInForce.gtc,
      quantity: lots,
      price: side === Side.buy ? middle - away : middle + away,
      stopPrice: 0,
      clientOrderId: `client-${String(order).padStart(8, '0')}`,
      extras: null,
    } as never)
  }
  return exchange
}

const userIdOf = (account: number): string => `bench-user-${String(account).padStart(10, '0')}`

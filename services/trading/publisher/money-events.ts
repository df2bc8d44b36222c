import type { Command, CommandKind, Posting } from '@maru/contracts'
import { EventKind, type Exchange } from '@maru/domain/exchange'
import { formatId } from '../wire/order-id.ts'
import { amountText } from '../wire/wire.ts'
import { quoteOf, sortedBalance } from './event-data.ts'

/** Events of transfers and liquidations: their type, and their data with sorted keys. `field` reads the fields of the outcome. */
export function moneyEvent(exchange: Exchange, command: Command, kind: number | undefined, field: (index: number) => number) {
  const [account, asset, amount] = [field(0), field(2), field(3)]
  switch (kind) {
    case EventKind.fundsTransferred: {
      const { actor, reference } = command as Extract<Command, { kind: typeof CommandKind.transferFunds }>
      const counterparty = exchange.userIdOf(field(4))
      return {
        type: 'funds.moved' as const,
        body: { actor, ...moved(exchange, { account, asset, amount, reason: 'transfer', reference }, { counterparty }), reference },
      }
    }
    case EventKind.accountLiquidated: {
      const asset = quoteOf(exchange, 0)
      return {
        type: 'account.liquidated' as const,
        body: { asset: asset.name, equity: amountText(asset, field(2)), maintenance_margin: amountText(asset, field(3)) },
      }
    }
    case EventKind.liquidationFeePaid: {
      const order = formatId(field(4))
      const symbol = exchange.markets[exchange.order(field(4))!.symbol]!.name
      const fee = { account, asset, amount: -amount, reason: 'liquidation_fee', reference: order } as const
      const { postings, ...rest } = moved(exchange, fee)
      return { type: 'liquidation.fee_paid' as const, body: { ...rest, order_id: order, postings, symbol } }
    }
    default:
      return {
        type: 'insurance.paid' as const,
        body: moved(exchange, { account, asset, amount, reason: 'insurance', reference: formatId(exchange.commandCount) }),
      }
  }
}

interface Movement {
  account: number
  asset: number
  amount: number
  reason: Posting['reason']
  reference: string
}

function moved(exchange: Exchange, { account, asset, amount, reason, reference }: Movement, extra: { counterparty?: string } = {}) {
  const view = exchange.assets[asset]!
  const text = amountText(view, amount)
  return {
    amount: text,
    asset: view.name,
    balance: sortedBalance(exchange, account, asset),
    ...extra,
    postings: [{ amount: text, asset: view.name, reason, reference }],
  }
}

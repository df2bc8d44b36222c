import { CommandKind, type Command, type LedgerReason, type OrderListData, type PlaceList, type TradingEvent } from '@maru/contracts'
import { EventKind, OrderStatus, type Exchange, type OrderView } from '@maru/domain/exchange'
import { formatId } from '../wire/order-id.ts'
import {
  accountModes,
  amountText,
  listKinds,
  orderStatuses,
  priceText,
  quantityText,
  sideName,
  time,
  type OrderProgress,
} from '../wire/wire.ts'
import { controlsData } from '../wire/controls.ts'
import type { EventHead, EventText, EventTexts } from './event-texts.ts'
import { moneyEvent } from './money-events.ts'
import { quoteOf, sortedBalance, sortedBalances, sortedPosition } from './event-data.ts'
import { writeFill, writeOrder, type Trade, type TradeSide } from './order-texts.ts'

/**
 * The same number, as a small integer where it is one. What is read from a table of doubles is a double to the compiler: objects that have now the one and
 * now the other in a field are made over each time, which was a twentieth of this thread.
 */
function compact(value: number): number {
  const small = value | 0
  return small === value ? small : value
}

/**
 * Writes the events of the command just applied, one for each number its accounts' streams were given. Balances and positions are those
 * after the whole command. The id, `<command>-<index>`, is the same whoever publishes it. Keys of the data are sorted: see event-data.ts.
 */
export function translate(exchange: Exchange, command: Command, into: EventTexts): void {
  const { data, length } = exchange.outcome
  const before = into.events.length
  const timestamp = time(exchange.timeMs)
  const headOf = (type: TradingEvent['type'], account: number, sequence: number): EventHead => ({
    command: exchange.commandCount,
    index: into.events.length - before,
    type,
    timestamp,
    userId: exchange.userIdOf(account),
    sequence,
  })
  const push = (type: TradingEvent['type'], account: number, sequence: number, body: unknown): EventText =>
    into.add(headOf(type, account, sequence), body)
  const pushOrder = (type: TradingEvent['type'], account: number, sequence: number, order: number, progress?: OrderProgress): void => {
    const event = into.begin(headOf(type, account, sequence))
    const view = viewOf(exchange, order)
    const { status } = progress ?? view
    writeOrder(event.text, exchange, view, progress ?? view, event.userId)
    into.end(event)
    event.order = {
      number: order,
      clientOrderId: view.clientOrderId === '' ? null : view.clientOrderId,
      symbol: exchange.markets[view.symbol]!.name,
      status: orderStatuses[status]!,
    }
  }
  const pushFill = (trade: Trade, sequence: number, own: TradeSide): void => {
    const event = into.begin(headOf('trade.executed', own.account, sequence))
    writeFill(event.text, exchange, trade, own)
    into.end(event)
    event.filled = own.order
  }
  for (let at = 0; at < length; at += data[at + 1]!) {
    const field = (index: number): number => compact(data[at + 2 + index]!)
    switch (data[at]) {
      case EventKind.accountOpened:
        push('account.opened', field(0), field(1), { mode: accountModes[exchange.mode(field(0))]! })
        break
      case EventKind.orderAccepted:
        pushOrder('order.created', field(0), field(1), field(2), fresh)
        break
      case EventKind.listAccepted:
        // Before rules 3 it has no number in the stream.
        if (exchange.rules >= 3) {
          const list = listData(exchange, command, field)
          push('order_list.created', field(0), field(1), list).list = list
        }
        break
      case EventKind.orderRejected:
        pushOrder('order.rejected', field(0), field(1), field(2), { ...fresh, status: OrderStatus.rejected, refusal: field(3) })
        break
      case EventKind.orderTriggered:
        pushOrder('order.triggered', field(0), field(1), field(2), fresh)
        break
      case EventKind.orderAmended:
        pushOrder('order.amended', field(0), field(1), field(2))
        break
      case EventKind.orderUpdated:
        pushOrder('order.status_updated', field(0), field(1), field(2), {
          status: field(3),
          filled: field(4),
          filledNotional: field(5),
          fee: field(6),
          refusal: field(7),
        })
        break
      case EventKind.trade:
      case EventKind.auctionTrade: {
        const trade = { trade: field(0), symbol: field(1), price: field(2), quantity: field(3), notional: field(4) }
        const side = field(5)
        // In an auction nobody comes to what is there: both are makers.
        const isTaker = data[at] === EventKind.trade
        pushFill(trade, field(8), { side, order: field(6), account: field(7), fee: field(9), realized: field(10), isTaker })
        pushFill(trade, field(13), {
          side: 1 - side,
          order: field(11),
          account: field(12),
          fee: field(14),
          realized: field(15),
          isTaker: false,
        })
        break
      }
      case EventKind.fundsMoved: {
        const [account, sequence, asset, amount, isGrant] = [field(0), field(1), field(2), field(3), field(4)]
        const view = exchange.assets[asset]!
        const moved = command.kind === CommandKind.moveFunds ? command : undefined
        const reference = moved?.reference ?? 'opening'
        const reason: LedgerReason = isGrant === 1 ? 'grant' : amount < 0 ? 'withdrawal' : 'deposit'
        const text = amountText(view, amount)
        push('funds.moved', account, sequence, {
          actor: moved?.actor ?? 'maru',
          amount: text,
          asset: view.name,
          balance: sortedBalance(exchange, account, asset),
          postings: [{ amount: text, asset: view.name, reason, reference }],
          reference,
        })
        break
      }
      case EventKind.fillBooked: {
        const booked = command as Extract<Command, { kind: typeof CommandKind.bookFill }>
        const [account, sequence, symbol, side, price, quantity, notional, realized] = [
          field(0),
          field(1),
          field(2),
          field(3),
          field(4),
          field(5),
          field(6),
          field(7),
        ]
        const market = exchange.markets[symbol]!
        push('fill.booked', account, sequence, {
          actor: booked.actor,
          balances: sortedBalances(exchange, account, market),
          notional: amountText(exchange.assets[market.quote]!, notional),
          position: sortedPosition(exchange, account, symbol),
          price: priceText(market, price),
          quantity: quantityText(market, quantity),
          realized_pnl: amountText(exchange.assets[market.quote]!, realized),
          reference: booked.reference,
          side: sideName(side),
          symbol: market.name,
        })
        break
      }
      case EventKind.limitsChanged: {
        const symbol = field(2)
        const quote = quoteOf(exchange, symbol)
        push('limits.changed', field(0), field(1), {
          actor: command.kind === CommandKind.setLimits ? command.actor : 'maru',
          daily_loss_max: amountText(quote, field(5)),
          leverage_max: (field(4) / 100).toFixed(2),
          position_notional_max: amountText(quote, field(3)),
          symbol: symbol < 0 ? null : exchange.markets[symbol]!.name,
        })
        break
      }
      case EventKind.modeChanged:
        push('mode.changed', field(0), field(1), {
          actor: command.kind === CommandKind.setMode ? command.actor : 'maru',
          mode: accountModes[field(2)]!,
        })
        break
      case EventKind.fundsTransferred:
      case EventKind.accountLiquidated:
      case EventKind.liquidationFeePaid:
      case EventKind.insurancePaid: {
        const { type, body } = moneyEvent(exchange, command, data[at], field)
        push(type, field(0), field(1), body)
        break
      }
      case EventKind.controlsChanged:
        push('controls.changed', field(0), field(1), { actor: actorOf(command), ...controlsData(exchange.controls(field(0))) })
        break
      default:
        // Market status, marks, duplicates and refusals belong to no account's stream.
        break
    }
  }
}

/** A list that was placed, with sorted keys. */
function listData(exchange: Exchange, command: Command, field: (index: number) => number): OrderListData {
  const { clientListId, legs } = command as PlaceList
  return {
    client_list_id: clientListId === '' ? null : clientListId,
    id: formatId(field(2)),
    order_ids: legs.map((_, leg) => formatId(field(4 + leg))),
    symbol: exchange.markets[legs[0]!.symbol]!.name,
    type: listKinds[field(3)]!,
  }
}

/** Who ordered a command that names one. */
function actorOf(command: Command): string {
  return 'actor' in command ? command.actor : 'maru'
}

const fresh: OrderProgress = { status: OrderStatus.pending, filled: 0, filledNotional: 0, fee: 0, refusal: 0 }

function viewOf(exchange: Exchange, order: number): OrderView {
  const view = exchange.order(order)
  if (!view) throw new Error(`order ${order} is in the outcome of command ${exchange.commandCount} but cannot be read`)
  return view
}

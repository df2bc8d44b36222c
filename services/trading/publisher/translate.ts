import { CommandKind, type Command, type LedgerReason, type OrderListData, type PlaceList, type TradingEvent } from '@maru/contracts'
import { EventKind, OrderStatus, type Exchange, type OrderView } from '@maru/domain/exchange'
import { formatId } from '../wire/order-id.ts'
import { accountModes, amountText, listKinds, orderData, priceText, quantityText, sideName, time } from '../wire/wire.ts'
import { controlsData } from '../wire/controls.ts'
import { moneyEvent } from './money-events.ts'
import { quoteOf, sortedBalance, sortedBalances, sortedOrder, sortedPosition } from './event-data.ts'

/**
 * The events of the command just applied, one for each number its accounts' streams were given. Balances and positions are those
 * after the whole command. The id, `<command>-<index>`, is the same whoever publishes it. Keys of the data are sorted: see event-data.ts.
 */
export function translate(exchange: Exchange, command: Command): TradingEvent[] {
  const events: TradingEvent[] = []
  const { data, length } = exchange.outcome
  const timestamp = time(exchange.timeMs)
  const commandId = formatId(exchange.commandCount)
  const push = (type: string, account: number, sequence: number, body: unknown): void => {
    events.push({
      id: `${commandId}-${events.length}`,
      type,
      v: 1,
      timestamp,
      user_id: exchange.userIdOf(account),
      sequence,
      data: body,
    } as TradingEvent)
  }
  for (let at = 0; at < length; at += data[at + 1]!) {
    const field = (index: number): number => data[at + 2 + index]!
    switch (data[at]) {
      case EventKind.accountOpened:
        push('account.opened', field(0), field(1), { mode: accountModes[exchange.mode(field(0))]! })
        break
      case EventKind.orderAccepted:
        push('order.created', field(0), field(1), orderAt(exchange, field(2), fresh))
        break
      case EventKind.listAccepted:
        // Before rules 3 it has no number in the stream.
        if (exchange.rules >= 3) push('order_list.created', field(0), field(1), listData(exchange, command, field))
        break
      case EventKind.orderRejected:
        push(
          'order.rejected',
          field(0),
          field(1),
          orderAt(exchange, field(2), { ...fresh, status: OrderStatus.rejected, refusal: field(3) }),
        )
        break
      case EventKind.orderTriggered:
        push('order.triggered', field(0), field(1), orderAt(exchange, field(2), fresh))
        break
      case EventKind.orderAmended:
        push('order.amended', field(0), field(1), orderNow(exchange, field(2)))
        break
      case EventKind.orderUpdated:
        push(
          'order.status_updated',
          field(0),
          field(1),
          orderAt(exchange, field(2), { status: field(3), filled: field(4), filledNotional: field(5), fee: field(6), refusal: field(7) }),
        )
        break
      case EventKind.trade:
      case EventKind.auctionTrade: {
        // In an auction nobody comes to what is there: both are makers.
        const taking = data[at] === EventKind.trade ? 'TAKER' : 'MAKER'
        const trade = { id: formatId(field(0)), symbol: field(1), price: field(2), quantity: field(3), notional: field(4) }
        const takerSide = field(5)
        push(
          'trade.executed',
          field(7),
          field(8),
          tradeData(exchange, trade, {
            side: takerSide,
            order: field(6),
            account: field(7),
            fee: field(9),
            realized: field(10),
            liquidity: taking,
          }),
        )
        push(
          'trade.executed',
          field(12),
          field(13),
          tradeData(exchange, trade, {
            side: 1 - takerSide,
            order: field(11),
            account: field(12),
            fee: field(14),
            realized: field(15),
            liquidity: 'MAKER',
          }),
        )
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
  return events
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

const fresh = { status: OrderStatus.pending, filled: 0, filledNotional: 0, fee: 0, refusal: 0 }

function orderAt(
  exchange: Exchange,
  order: number,
  progress: typeof fresh | { status: number; filled: number; filledNotional: number; fee: number; refusal: number },
): unknown {
  return sortedOrder(orderData(exchange, viewOf(exchange, order), progress))
}

/** An order as it is after the command. */
function orderNow(exchange: Exchange, order: number): unknown {
  return sortedOrder(orderData(exchange, viewOf(exchange, order)))
}

function viewOf(exchange: Exchange, order: number): OrderView {
  const view = exchange.order(order)
  if (!view) throw new Error(`order ${order} is in the outcome of command ${exchange.commandCount} but cannot be read`)
  return view
}

interface Side {
  side: number
  order: number
  account: number
  fee: number
  realized: number
  liquidity: 'MAKER' | 'TAKER'
}

function tradeData(
  exchange: Exchange,
  trade: { id: string; symbol: number; price: number; quantity: number; notional: number },
  own: Side,
): unknown {
  const market = exchange.markets[trade.symbol]!
  const quote = exchange.assets[market.quote]!
  const orderId = formatId(own.order)
  const clientOrderId = exchange.order(own.order)?.clientOrderId ?? ''
  return {
    balances: sortedBalances(exchange, own.account, market),
    client_order_id: clientOrderId === '' ? orderId : clientOrderId,
    fee: amountText(quote, own.fee),
    fee_asset: quote.name,
    liquidity: own.liquidity,
    notional: amountText(quote, trade.notional),
    order_id: orderId,
    position: sortedPosition(exchange, own.account, trade.symbol),
    price: priceText(market, trade.price),
    quantity: quantityText(market, trade.quantity),
    realized_pnl: amountText(quote, own.realized),
    side: sideName(own.side),
    symbol: market.name,
    trade_id: trade.id,
  }
}

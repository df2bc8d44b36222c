import { systemUserPrefix, type OrderData, type TradingEvent, type UserEvent } from '@maru/contracts'
import type { NotificationKind } from '@maru/contracts/http/notification'

/** What a user is to be told, with the figures the text is made from. */
export interface Noteworthy {
  userId: string
  kind: NotificationKind
  data: Record<string, unknown>
  /** False where the event never goes out by mail, whatever the preferences. */
  mailable: boolean
}

/** The notification an event gives rise to, if any. House accounts are told nothing. */
export function noteworthy(event: TradingEvent | UserEvent): Noteworthy | undefined {
  const told = judge(event)
  return told?.userId.startsWith(systemUserPrefix) ? undefined : told
}

function judge(event: TradingEvent | UserEvent): Noteworthy | undefined {
  switch (event.type) {
    case 'user.registered':
      return { userId: event.data.user_id, kind: 'welcome', data: { username: event.data.username }, mailable: true }
    case 'order.rejected':
      return ofOrder(event.user_id, 'order_rejected', event.data)
    case 'order.triggered':
      return ofOrder(event.user_id, 'stop_triggered', event.data)
    case 'order.status_updated': {
      const kind = kindOfStatus[event.data.status]
      return kind && ofOrder(event.user_id, kind, event.data)
    }
    case 'funds.moved': {
      const { amount, asset, reference, balance, postings } = event.data
      const reason = postings[0]?.reason ?? 'deposit'
      // The grant comes with the welcome; a second mail would tell nothing new.
      return {
        userId: event.user_id,
        kind: 'funds_moved',
        data: { amount, asset, reference, reason, available: balance.available },
        mailable: reason !== 'grant',
      }
    }
    default:
      // The rest is of no interest to an inbox: an order taken, each single fill, changes by operators; and types newer than this release.
      return undefined
  }
}

const kindOfStatus: Partial<Record<OrderData['status'], NotificationKind>> = {
  PARTIALLY_FILLED: 'order_partially_filled',
  FILLED: 'order_filled',
  REJECTED: 'order_rejected',
  CANCELLED: 'order_cancelled',
  EXPIRED: 'order_expired',
}

function ofOrder(userId: string, kind: NotificationKind, order: OrderData): Noteworthy {
  const { id, symbol, side, order_type, quantity, filled_quantity, price, stop_price, average_price, reject_code } = order
  return {
    userId,
    kind,
    data: { order_id: id, symbol, side, order_type, quantity, filled_quantity, price, stop_price, average_price, reject_code },
    mailable: true,
  }
}

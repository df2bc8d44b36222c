import type { CancelAll, CancelOrder } from '@maru/contracts/commands'
import type { Core } from './core.ts'
import * as openOrders from './open-orders.ts'
import { openOrdersOf } from './open-orders.ts'
import { none as noSlot } from './no-slot.ts'
import { OrderStatus } from './outcome.ts'
import { withdrawQuotes } from './quotes.ts'
import { Refusal } from './refusals.ts'
import * as orderTraits from './traits.ts'

/** Constants of this module are folded into the machine code; imported ones are looked up at each use. */
const { closeResting } = openOrders
const { isQuote } = orderTraits
const { cancelled, partiallyFilled } = OrderStatus
const none: number = noSlot

/** Cancels one open order of the account, in whatever state its market is. */
export function cancelOrder(core: Core, cancel: CancelOrder): void {
  const { orders, positions } = core
  const refusal = ownOrderRefusal(core, cancel.account, cancel.order)
  if (refusal !== 0) {
    core.emitRefused(refusal)
    return
  }
  const slot = orders.find(cancel.order)
  closeResting(core, core.markets[positions.symbol(orders.position(slot))]!, slot, cancelled, 0)
}

/** Why an account cannot do anything with an order; 0 where it can. Another's order, and a quote, which only a mass quote moves, are as if they were not there. */
export function ownOrderRefusal(core: Core, account: number, order: number): number {
  const { orders, accounts, positions } = core
  if (!accounts.has(account)) return Refusal.account_not_found
  const slot = orders.find(order)
  if (slot === none) {
    const wasGiven = Number.isSafeInteger(order) && order > 0 && order <= core.lastOrder
    return wasGiven ? Refusal.order_not_open : Refusal.order_not_found
  }
  if (positions.account(orders.position(slot)) !== account || isQuote(orders.traits(slot))) return Refusal.order_not_found
  // One that expired at this very command is still to be found.
  return orders.status(slot) > partiallyFilled ? Refusal.order_not_open : 0
}

/** Cancels every open order of the account, newest first, and withdraws its quotes; in one market or in all. */
export function cancelAll(core: Core, { account, symbol }: CancelAll): void {
  if (!core.accounts.has(account)) core.emitRefused(Refusal.account_not_found)
  else if (symbol !== none && !core.market(symbol)) core.emitRefused(Refusal.symbol_not_found)
  else cancelOpen(core, account, symbol)
}

/** The same of an account and a market that are known to be; -1 is every market. */
export function cancelOpen(core: Core, account: number, only: number): void {
  const { orders, accounts, positions } = core
  for (const slot of openOrdersOf(core, account)) {
    const symbol = positions.symbol(orders.position(slot))
    if ((only === none || symbol === only) && orders.status(slot) <= partiallyFilled)
      closeResting(core, core.markets[symbol]!, slot, cancelled, 0)
  }
  for (let position = accounts.firstPosition(account); position !== none; position = positions.nextOfAccount(position)) {
    const symbol = positions.symbol(position)
    if (only === none || symbol === only) withdrawQuotes(core, core.markets[symbol]!, position)
  }
}

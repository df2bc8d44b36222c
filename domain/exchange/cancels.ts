import type { CancelAll, CancelOrder } from '@maru/contracts/commands'
import type { Core } from './core.ts'
import { closeResting, openOrdersOf } from './open-orders.ts'
import { none as noSlot } from './no-slot.ts'
import { OrderStatus } from './outcome.ts'
import { withdrawQuotes } from './quotes.ts'
import { Refusal } from './refusals.ts'
import { isQuote } from './traits.ts'

/** Constants of this module are folded into the machine code; imported ones are looked up at each use. */
const { cancelled } = OrderStatus
const none: number = noSlot

/** Cancels one open order of the account, in whatever state its market is. */
export function cancelOrder(core: Core, cancel: CancelOrder): void {
  const { orders, accounts, positions } = core
  if (!accounts.has(cancel.account)) {
    core.emitRefused(Refusal.account_not_found)
    return
  }
  const slot = orders.find(cancel.order)
  if (slot === none) {
    const wasGiven = Number.isSafeInteger(cancel.order) && cancel.order > 0 && cancel.order <= core.lastOrder
    core.emitRefused(wasGiven ? Refusal.order_not_open : Refusal.order_not_found)
    return
  }
  // Another's order and a quote, which only a mass quote moves, are as if they were not there.
  const position = orders.position(slot)
  if (positions.account(position) !== cancel.account || isQuote(orders.traits(slot))) {
    core.emitRefused(Refusal.order_not_found)
    return
  }
  closeResting(core, core.markets[positions.symbol(position)]!, slot, cancelled, 0)
}

/** Cancels every open order of the account, newest first, and withdraws its quotes; in one market or in all. */
export function cancelAll(core: Core, cancel: CancelAll): void {
  const { orders, accounts, positions } = core
  if (!accounts.has(cancel.account)) {
    core.emitRefused(Refusal.account_not_found)
    return
  }
  const isEverywhere = cancel.symbol === -1
  if (!isEverywhere && !core.market(cancel.symbol)) {
    core.emitRefused(Refusal.symbol_not_found)
    return
  }
  for (const slot of openOrdersOf(core, cancel.account)) {
    const symbol = positions.symbol(orders.position(slot))
    if (isEverywhere || symbol === cancel.symbol) closeResting(core, core.markets[symbol]!, slot, cancelled, 0)
  }
  for (let position = accounts.firstPosition(cancel.account); position !== none; position = positions.nextOfAccount(position)) {
    const symbol = positions.symbol(position)
    if (isEverywhere || symbol === cancel.symbol) withdrawQuotes(core, core.markets[symbol]!, position)
  }
}

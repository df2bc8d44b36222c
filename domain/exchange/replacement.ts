import type { ReplaceOrder } from '@maru/contracts/commands'
import { withoutOrder } from './amendment.ts'
import { ownOrderRefusal } from './cancels.ts'
import type { Core } from './core.ts'
import { none } from './no-slot.ts'
import { closeResting } from './open-orders.ts'
import { orderRefusal } from './order-checks.ts'
import { isWellFormed } from './order-form.ts'
import { pairOf } from './list-legs.ts'
import { OrderStatus } from './outcome.ts'
import { accept, record, reject, rememberOrder, repeats } from './placement.ts'
import { Refusal } from './refusals.ts'
import { rateRefusal } from './restrictions.ts'
import { isPending } from './traits.ts'

/**
 * Cancels an open order and places another in the same market, both or neither: the new one is checked as if the old one were gone, and where it is refused it
 * is recorded as REJECTED and the old one stays where it is.
 *
 * @returns the market, or -1
 */
export function replaceOrder(core: Core, { order, placement }: ReplaceOrder): number {
  const { orders, positions } = core
  if (!isWellFormed(placement, core.rules) || (placement.extras !== null && placement.extras.quoteQuantity !== 0)) {
    core.emitRefused(Refusal.invalid_request)
    return none
  }
  if (placement.clientOrderId !== '' && repeats(core, placement)) return none
  const slot = orders.find(order)
  const refusal =
    ownOrderRefusal(core, placement.account, order) || replacedRefusal(core, slot, placement.symbol) || rateRefusal(core, placement.account)
  if (refusal !== 0) {
    core.emitRefused(refusal)
    return none
  }
  const position = orders.position(slot)
  const market = core.markets[positions.symbol(position)]!
  const refused = withoutOrder(core, market, slot, () => orderRefusal(core, market, position, placement))
  const placed = record(core, market, position, placement, refused)
  if (placement.clientOrderId !== '') rememberOrder(core, placement, refused)
  if (refused !== 0) {
    reject(core, placed, placement.account, refused)
    return none
  }
  closeResting(core, market, slot, OrderStatus.cancelled, 0)
  accept(core, market, placed, placement.account)
  return market.symbol
}

function replacedRefusal(core: Core, slot: number, symbol: number): number {
  const { orders, positions } = core
  if (positions.symbol(orders.position(slot)) !== symbol) return Refusal.invalid_request
  return isPending(orders.traits(slot)) || pairOf(core, slot) !== none ? Refusal.order_not_amendable : 0
}

import { Side } from '@maru/contracts/commands'
import type { Core } from './core.ts'
import { closeResting, openOrdersOf } from './open-orders.ts'
import { OrderStatus } from './outcome.ts'
import { Refusal } from './refusals.ts'
import { isPending, isReduceOnly, sideOf } from './traits.ts'

/** Lots by which orders of a side may reduce a position. */
export function reducibleLots(core: Core, position: number, side: Side): number {
  const quantity = core.positions.quantity(position)
  return Math.max(0, side === Side.buy ? -quantity : quantity)
}

/** Expires the reduce-only orders of positions that this command has closed or turned round: there is nothing left for them to reduce. */
export function expireUseless(core: Core): void {
  const { orders, positions } = core
  for (let position = core.reduced.pop(); position !== undefined; position = core.reduced.pop()) {
    if (!positions.hasReduceOnly(position)) continue
    for (const slot of openOrdersOf(core, positions.account(position))) {
      const traits = orders.traits(slot)
      if (orders.position(slot) !== position || !isReduceOnly(traits) || reducibleLots(core, position, sideOf(traits)) > 0) continue
      // What is still pending in a list is looked at when its time comes.
      if (isPending(traits)) continue
      closeResting(core, core.markets[positions.symbol(position)]!, slot, OrderStatus.expired, Refusal.reduce_only_would_increase)
    }
  }
}

import { CommandKind, OrderType, Side, type Command, type PlaceOrder } from '@maru/contracts/commands'
import type { Core } from './core.ts'
import { none as noSlot } from './no-slot.ts'

/** Constants of this module are folded into the machine code; imported ones are looked up at each use. */
const { placeOrder, cancelOrder } = CommandKind
const { limit } = OrderType
const { buy } = Side
const none: number = noSlot

/** Commands that are looked ahead at once: more would push each other out of the nearest cache. */
export const foresightMax = 16

/** Orders to be cancelled, then positions, of the commands that are looked at. */
const slots = new Int32Array(foresightMax)
const positions = new Int32Array(foresightMax)

/**
 * Reads what the next commands will need, so that it is in the cache when they are applied. A command waits for a handful of places in memory
 * one after another; here the same places of many commands are read with nothing in between that waits for them, so the processor fetches them
 * side by side. Changes nothing, and nothing depends on it but speed.
 *
 * @returns a number made of what was read, which keeps the reads from being left out as useless
 */
export function foresee(core: Core, commands: readonly Command[], from: number, to: number): number {
  let seen = 0
  for (let at = from; at < to; at++) {
    const command = commands[at]!
    const { kind } = command
    slots[at - from] = kind === cancelOrder ? core.orders.likelySlot(command.order) : none
    positions[at - from] = kind === placeOrder ? core.positions.find(command.account, command.symbol) : none
  }
  for (let at = 0; at < to - from; at++) {
    const slot = slots[at]!
    if (slot !== none) seen += core.orders.level(slot)
    const position = positions[at]!
    if (position !== none) seen += core.positions.quantity(position)
  }
  for (let at = 0; at < to - from; at++) {
    const slot = slots[at]!
    if (slot !== none) seen += core.levels.count(core.orders.level(slot)) + core.positions.quantity(core.orders.position(slot))
    if (positions[at] !== none) seen += seePlacement(core, commands[from + at] as PlaceOrder, positions[at]!)
  }
  return seen
}

/** What an order touches beyond its position: what it is held from, where it is listed, and the levels around its price. */
function seePlacement(core: Core, order: PlaceOrder, position: number): number {
  const seen = core.balances.held(core.positions.heldBalance(position, order.side)) + core.accountOrders.nextCell(order.account)
  const market = core.markets[order.symbol]
  if (!market || order.orderType !== limit) return seen
  return seen + (order.side === buy ? market.bids : market.asks).glance(order.price)
}

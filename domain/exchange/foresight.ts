import { CommandKind, OrderType, Side, type Command, type PlaceOrder } from '@maru/contracts/commands'
import type { BookSide } from './book-side.ts'
import type { Core } from './core.ts'
import * as execution from './execution.ts'
import * as matching from './matching.ts'
import { none as noSlot } from './no-slot.ts'
import * as orderTraits from './traits.ts'

/** Constants of this module are folded into the machine code; imported ones are looked up at each use. */
const { placeOrder, cancelOrder } = CommandKind
const { limit } = OrderType
const { meets } = execution
const { leastKey } = matching
const { sideOf } = orderTraits
const { buy } = Side
const none: number = noSlot

/** Commands that are looked ahead at once: more would push each other out of the nearest cache. */
export const foresightMax = 16

/** Of the commands that are looked at: slots of orders to be cancelled; placements by their place among the commands, and their positions. */
const slots = new Int32Array(foresightMax)
const places = new Int32Array(foresightMax)
const positions = new Int32Array(foresightMax)
/** Of an order that trades, so many of the orders it may trade with; of all commands that are looked at, no more than there is room for. */
const makersOfOrder = 3
const makersMax = 16
const makers = new Int32Array(makersMax)

/**
 * Reads what the next commands will need, so that it is in the cache when they are applied. A command waits for a handful of places in memory
 * one after another; here the same places of many commands are read with nothing in between that waits for them, so the processor fetches them
 * side by side. Cancels and placements are told apart once, as each look at what a command is would be guessed wrong every other time. Changes nothing,
 * and nothing depends on it but speed.
 *
 * @returns a number made of what was read, which keeps the reads from being left out as useless
 */
export function foresee(core: Core, commands: readonly Command[], from: number, to: number): number {
  let cancels = 0
  let placements = 0
  for (let at = from; at < to; at++) {
    const command = commands[at]!
    const { kind } = command
    if (kind === cancelOrder) {
      const slot = core.orders.likelySlot(command.order)
      slots[cancels] = slot
      cancels += slot === none ? 0 : 1
    } else if (kind === placeOrder) {
      const position = core.positions.find(command.account, command.symbol)
      places[placements] = at
      positions[placements] = position
      placements += position === none ? 0 : 1
    }
  }
  return seeCancels(core, cancels) + seePlacements(core, commands, placements)
}

/** The order, then its level, position and the cell in which it is listed, then what it is held from. */
function seeCancels(core: Core, count: number): number {
  const { orders, levels, accountOrders, balances } = core
  let seen = 0
  for (let at = 0; at < count; at++) seen = (seen + orders.level(slots[at]!)) | 0
  for (let at = 0; at < count; at++) {
    const slot = slots[at]!
    seen = (seen + levels.count(orders.level(slot)) + core.positions.account(orders.position(slot))) | 0
  }
  for (let at = 0; at < count; at++) {
    const slot = slots[at]!
    const position = orders.position(slot)
    seen = (seen + accountOrders.look(core.positions.account(position), orders.cell(slot))) | 0
    seen = (seen + balances.look(core.positions.heldBalance(position, sideOf(orders.traits(slot))))) | 0
  }
  return seen
}

/** The position and the levels around the price, then what the order will be held from and where it will be listed; of one that trades, its makers. */
function seePlacements(core: Core, commands: readonly Command[], count: number): number {
  const { accounts, accountOrders, balances, markets } = core
  let seen = 0
  let makerCount = 0
  for (let at = 0; at < count; at++) {
    const order = commands[places[at]!] as PlaceOrder
    seen = (seen + core.positions.account(positions[at]!)) | 0
    // A malformed command may find a position by what is left of its numbers.
    const market = markets[order.symbol]
    if (!market) continue
    const opposite = order.side === buy ? market.asks : market.bids
    const isMarket = order.orderType !== limit
    if (isMarket || meets(core, opposite, leastKey(order.side, order.price))) makerCount = noteMakers(core, opposite, makerCount)
    else seen = (seen + (order.side === buy ? market.bids : market.asks).glance(order.price)) | 0
  }
  for (let at = 0; at < count; at++) {
    const order = commands[places[at]!] as PlaceOrder
    seen = (seen + balances.look(core.positions.heldBalance(positions[at]!, order.side))) | 0
    seen = (seen + accountOrders.look(order.account, accounts.freeCell(order.account))) | 0
  }
  return seen + seeMakers(core, makerCount)
}

/** Notes the oldest orders of the best levels of a side, after so many that are noted already, and returns how many there are now. */
function noteMakers(core: Core, book: BookSide, count: number): number {
  let noted = count
  for (let level = book.bestLevel; level !== none && noted < makersMax && noted < count + makersOfOrder; level = book.levelAfter(level)) {
    makers[noted] = core.levels.first(level)
    noted += 1
  }
  return noted
}

/** The order, then its position, then all that a fill changes of its owner. */
function seeMakers(core: Core, count: number): number {
  const { orders, balances, accountOrders } = core
  let seen = 0
  for (let at = 0; at < count; at++) seen = (seen + orders.position(makers[at]!)) | 0
  for (let at = 0; at < count; at++) {
    const position = orders.position(makers[at]!)
    seen = (seen + core.positions.account(position) + core.positions.lookAtEntry(position)) | 0
  }
  for (let at = 0; at < count; at++) {
    const maker = makers[at]!
    const position = orders.position(maker)
    seen = (seen + balances.look(core.positions.baseBalance(position)) + balances.look(core.positions.quoteBalance(position))) | 0
    seen = (seen + accountOrders.look(core.positions.account(position), orders.cell(maker))) | 0
  }
  return seen
}

import { CommandKind, OrderType, Side, type Command, type PlaceOrder } from '@maru/contracts/commands'
import * as bookSide from './book-side.ts'
import type { BookSide } from './book-side.ts'
import type { Core } from './core.ts'
import { none as noSlot } from './no-slot.ts'
import * as orderTraits from './traits.ts'

/** Constants of this module are folded into the machine code; imported ones are looked up at each use. */
const { placeOrder, cancelOrder } = CommandKind
const { limit } = OrderType
const { likelyPlace } = bookSide
const { sideOf } = orderTraits
const { buy, sell } = Side
const none: number = noSlot

/** Commands that are looked ahead at once: each step waits once for all of them, until they push each other out of the nearest cache. Measured in `docs/performance.md`. */
export const foresightMax = 64

/** Of the cancels among the commands that are looked at: their orders, and the slots of these. */
const orderIds = new Float64Array(foresightMax)
const slots = new Int32Array(foresightMax)
/** Of the placements: their place among the commands, account, market, side, and position. */
const places = new Int32Array(foresightMax)
const owners = new Int32Array(foresightMax)
const symbols = new Int32Array(foresightMax)
const sides = new Int32Array(foresightMax)
const positions = new Int32Array(foresightMax)
/** Of placements that come to rest: where their level is found. */
const restingPlaces = new Int32Array(foresightMax)
/** Of placements that trade: their positions, and the orders they will meet, of all of them no more than there is room for. */
const takers = new Int32Array(foresightMax)
const makersMax = 64
const makers = new Int32Array(makersMax)

/**
 * Reads what the next commands will need, so that it is in the cache when they are applied. A command waits for a handful of places in memory
 * one after another; here the same place of many commands is read with nothing in between that waits for it, so the processor fetches them
 * side by side. It does so for what lies within a few hundred instructions, and begins anew where it guessed a branch wrong: so what a command
 * is, is asked once, before anything is read, and each step after that is a loop of its own that reads little and decides nothing. What is read may
 * be another's where a command is not what it should be. Changes nothing, and nothing depends on it but speed.
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
      orderIds[cancels] = command.order
      cancels += 1
    } else if (kind === placeOrder && core.accounts.has(command.account) && core.markets[command.symbol]) {
      places[placements] = at
      owners[placements] = command.account
      symbols[placements] = command.symbol
      sides[placements] = command.side === buy ? buy : sell
      placements += 1
    }
  }
  for (let at = 0; at < cancels; at++) slots[at] = core.orders.likelySlot(orderIds[at]!)
  for (let at = 0; at < placements; at++) positions[at] = Math.max(core.positions.find(owners[at]!, symbols[at]!), 0)
  return seeCancels(core, cancels) + seePlacements(core, commands, placements)
}

/** The order, then its level and position, then the cell in which it is listed, what it is held from, and where its level is found. */
function seeCancels(core: Core, count: number): number {
  const { orders, levels, levelTree, accountOrders, balances } = core
  let seen = 0
  for (let at = 0; at < count; at++) seen = (seen + orders.level(slots[at]!)) | 0
  for (let at = 0; at < count; at++) {
    const slot = slots[at]!
    seen = (seen + levels.count(orders.level(slot)) + core.positions.account(orders.position(slot))) | 0
  }
  for (let at = 0; at < count; at++) {
    const slot = slots[at]!
    const position = orders.position(slot)
    seen = (seen + levelTree.lookAtWord(levels.place(orders.level(slot)))) | 0
    seen = (seen + accountOrders.look(core.positions.account(position), orders.cell(slot))) | 0
    seen = (seen + balances.look(core.positions.heldBalance(position, sideOf(orders.traits(slot))))) | 0
  }
  return seen
}

/** The position, then the level an order comes to rest in, what it will be held from and where it will be listed; of one that trades, all that its fills change. */
function seePlacements(core: Core, commands: readonly Command[], count: number): number {
  const { accounts, accountOrders, balances, bookRecords, levelTree } = core
  let seen = 0
  let resting = 0
  let taking = 0
  let makerCount = 0
  for (let at = 0; at < count; at++) seen = (seen + core.positions.account(positions[at]!)) | 0
  for (let at = 0; at < count; at++) {
    const order = commands[places[at]!] as PlaceOrder
    const own = (symbols[at]! << 1) | sides[at]!
    // The same of its own side as of the other, so that the side is no branch.
    const key = order.price * (1 - 2 * sides[at]!)
    if (order.orderType !== limit || bookRecords.bestKey(own ^ 1) >= -key) {
      takers[taking] = positions[at]!
      taking += 1
      const { bids, asks } = core.markets[symbols[at]!]!
      makerCount = noteMakers(core, sides[at] === buy ? asks : bids, order.quantity, makerCount)
    } else {
      restingPlaces[resting] = likelyPlace(bookRecords, levelTree, own, key)
      resting += 1
    }
  }
  for (let at = 0; at < resting; at++) seen = (seen + levelTree.lookAtPlace(restingPlaces[at]!)) | 0
  for (let at = 0; at < count; at++) {
    seen = (seen + balances.look(core.positions.heldBalance(positions[at]!, sides[at]!))) | 0
    seen = (seen + accountOrders.look(owners[at]!, accounts.freeCell(owners[at]!))) | 0
  }
  for (let at = 0; at < taking; at++) seen = (seen + lookAtFilled(core, takers[at]!)) | 0
  return seen + seeMakers(core, makerCount)
}

/** Notes the oldest order of each of the best levels of a side, until they have so many lots, after those noted already; returns how many there are now. */
function noteMakers(core: Core, book: BookSide, lots: number, count: number): number {
  let noted = count
  let left = lots
  for (let level = book.bestLevel; level !== none && noted < makersMax && left > 0; level = book.levelAfter(level)) {
    makers[noted] = core.levels.first(level)
    left -= core.levels.quantity(level)
    noted += 1
  }
  return noted
}

/** The order, then its position, then all that a fill changes of its owner. */
function seeMakers(core: Core, count: number): number {
  const { orders, accountOrders } = core
  let seen = 0
  for (let at = 0; at < count; at++) seen = (seen + orders.position(makers[at]!)) | 0
  for (let at = 0; at < count; at++) seen = (seen + core.positions.account(orders.position(makers[at]!))) | 0
  for (let at = 0; at < count; at++) {
    const maker = makers[at]!
    const position = orders.position(maker)
    seen = (seen + lookAtFilled(core, position)) | 0
    seen = (seen + accountOrders.look(core.positions.account(position), orders.cell(maker))) | 0
  }
  return seen
}

/** What a fill changes of a position beside the position itself: its entry and both balances. */
function lookAtFilled(core: Core, position: number): number {
  const { balances } = core
  const base = balances.look(core.positions.baseBalance(position))
  return core.positions.lookAtEntry(position) + base + balances.look(core.positions.quoteBalance(position))
}

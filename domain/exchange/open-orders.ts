import { OrderType, Side } from '@maru/contracts/commands'
import type { BookSide } from './book-side.ts'
import type { Core } from './core.ts'
import { holdFor } from './fees.ts'
import type { Market } from './markets.ts'
import { none } from './no-slot.ts'
import type { OrderStatus } from './outcome.ts'
import { isQuote, orderTypeOf, sideOf } from './traits.ts'

/** Where an order of these traits rests: in the book, or among the waiting stops. */
export function sideOfBook(market: Market, traits: number): BookSide {
  const isBuy = sideOf(traits) === Side.buy
  if (orderTypeOf(traits) === OrderType.stop) return isBuy ? market.buyStops : market.sellStops
  return isBuy ? market.bids : market.asks
}

/** The balance an order of this side holds from. */
export function heldBalance(core: Core, position: number, side: Side): number {
  return side === Side.buy ? core.positions.quoteBalance(position) : core.positions.baseBalance(position)
}

/** Rests what is open of an order: its hold, its place in the queue, its owner's list. A quote is listed by `quotes.ts`. */
export function rest(core: Core, market: Market, slot: number): void {
  const { orders, positions, balances } = core
  const traits = orders.traits(slot)
  const side = sideOf(traits)
  const position = orders.position(slot)
  const lots = orders.quantity(slot) - orders.filled(slot)
  const price = orderTypeOf(traits) === OrderType.stop ? orders.stopPrice(slot) : orders.price(slot)
  const hold = holdFor(market, side, price, lots)
  orders.setHold(slot, hold)
  balances.addHeld(orders.heldBalance(slot), hold)
  positions.addOpen(position, side, lots)
  sideOfBook(market, traits).append(slot, price, lots)
  if (!isQuote(traits)) {
    positions.addOpenCount(position, 1)
    linkToAccount(core, slot)
  }
}

/** Takes a resting order out of everything `rest` put it in. Its status is the caller's to set. */
export function withdraw(core: Core, market: Market, slot: number): void {
  const { orders, positions, balances } = core
  const traits = orders.traits(slot)
  const side = sideOf(traits)
  const position = orders.position(slot)
  const lots = orders.quantity(slot) - orders.filled(slot)
  balances.addHeld(orders.heldBalance(slot), -orders.hold(slot))
  orders.setHold(slot, 0)
  positions.addOpen(position, side, -lots)
  sideOfBook(market, traits).remove(slot, lots)
  unlinkOwner(core, slot)
}

/** Withdraws a resting order for good and says so in its owner's stream. */
export function closeResting(core: Core, market: Market, slot: number, status: OrderStatus, refusal: number): void {
  withdraw(core, market, slot)
  core.orders.close(slot, status, refusal)
  core.emitOrderUpdated(slot)
}

function linkToAccount(core: Core, slot: number): void {
  const { orders, accounts } = core
  const account = core.positions.account(orders.position(slot))
  const first = accounts.firstOrder(account)
  orders.setOwnerPrevious(slot, none)
  orders.setOwnerNext(slot, first)
  if (first !== none) orders.setOwnerPrevious(first, slot)
  accounts.setFirstOrder(account, slot)
}

/** Takes an order out of its account's list, or a quote out of its position's. */
export function unlinkOwner(core: Core, slot: number): void {
  const { orders, positions, accounts } = core
  const traits = orders.traits(slot)
  const previous = orders.ownerPrevious(slot)
  const next = orders.ownerNext(slot)
  if (next !== none) orders.setOwnerPrevious(next, previous)
  if (previous !== none) orders.setOwnerNext(previous, next)
  else if (isQuote(traits)) positions.setFirstQuote(orders.position(slot), sideOf(traits), next)
  else accounts.setFirstOrder(positions.account(orders.position(slot)), next)
  if (!isQuote(traits)) positions.addOpenCount(orders.position(slot), -1)
}

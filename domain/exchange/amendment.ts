import { OrderType, Side, type AmendOrder, type PlaceOrder } from '@maru/contracts/commands'
import { ownOrderRefusal } from './cancels.ts'
import type { Core } from './core.ts'
import { enter } from './execution.ts'
import type { Market } from './markets.ts'
import { none } from './no-slot.ts'
import { holdOf, shrink, withdraw } from './open-orders.ts'
import { orderRefusal, unbackedRefusal, termsRefusal } from './order-checks.ts'
import { pairOf } from './list-legs.ts'
import { detailsOf } from './order-details.ts'
import { termsOf } from './order-terms.ts'
import { EventKind } from './outcome.ts'
import { Refusal } from './refusals.ts'
import { rateRefusal } from './restrictions.ts'
import { isDetailed, isPending, isWaiting, orderTypeOf, sideOf } from './traits.ts'

const unchanged = -1

/**
 * Changes quantity or prices of an open order. Where only its quantity falls it keeps its place in the queue; else it is checked like a new order,
 * with what it holds counted as free, and goes to the end of the queue at its price, or trades. Refused, it stays as it was.
 *
 * @returns the market of the order, or -1
 */
export function amendOrder(core: Core, command: AmendOrder): number {
  const refusal = ownOrderRefusal(core, command.account, command.order) || rateRefusal(core, command.account)
  if (refusal !== 0) {
    core.emitRefused(refusal)
    return none
  }
  const { orders, positions } = core
  const slot = orders.find(command.order)
  const symbol = positions.symbol(orders.position(slot))
  const market = core.markets[symbol]!
  const terms = amendedTerms(core, slot, command)
  if (typeof terms === 'number') {
    core.emitRefused(terms)
    return none
  }
  const isLess = terms.price === terms.before.price && terms.stopPrice === terms.before.stopPrice && terms.quantity <= terms.before.quantity
  if (isLess && terms.quantity === terms.before.quantity) {
    core.emitRepeated()
    return none
  }
  const refused = isLess
    ? termsRefusal(core, market, terms)
    : withoutOrder(core, market, slot, () => amendedRefusal(core, market, slot, terms))
  if (refused !== 0) {
    core.emitRefused(refused)
    return none
  }
  if (isLess) shrink(core, market, slot, terms.before.quantity - terms.quantity)
  else withdraw(core, market, slot)
  noteChange(core, slot, isLess)
  if (!isLess) setTerms(core, slot, terms)
  emitAmended(core, slot)
  if (!isLess) enter(core, market, slot)
  return symbol
}

type AmendedTerms = PlaceOrder & { before: PlaceOrder }

/** The order as it would be, for what is open of it; or why it cannot be asked for. */
function amendedTerms(core: Core, slot: number, { quantity, price, stopPrice }: AmendOrder): AmendedTerms | number {
  const { orders } = core
  const traits = orders.traits(slot)
  const orderType = orderTypeOf(traits)
  const hasLimit = orderType === OrderType.limit || orderType === OrderType.stopLimit
  const hasStop = isWaiting(traits) && (orderType === OrderType.stop || orderType === OrderType.stopLimit)
  if (isPending(traits) || !(hasLimit || hasStop)) return Refusal.order_not_amendable
  if ((price !== unchanged && !hasLimit) || (stopPrice !== unchanged && !hasStop)) return Refusal.order_not_amendable
  const pair = pairOf(core, slot)
  if (pair !== none && quantity !== unchanged) return Refusal.order_not_amendable
  const before = termsOf(core, slot)
  // Of an order whose quantity an own order has lessened, that much less is asked for.
  const prevented = isDetailed(traits) ? orders.details(slot).prevented : 0
  const open = quantity === unchanged ? before.quantity : quantity - prevented - orders.filled(slot)
  if (!Number.isSafeInteger(open) || open <= 0) return Refusal.invalid_quantity
  const terms = {
    ...before,
    before,
    quantity: open,
    price: price === unchanged ? before.price : price,
    stopPrice: stopPrice === unchanged ? before.stopPrice : stopPrice,
  }
  if (terms.extras !== null) terms.extras = { ...terms.extras, displayQuantity: Math.min(terms.extras.displayQuantity, open) }
  return pair === none || keepsPair(core, slot, pair, terms) ? terms : Refusal.invalid_price
}

/** The legs of an OCO stand on both sides of the market: so the stop leg holds enough for both. */
function keepsPair(core: Core, slot: number, other: number, terms: PlaceOrder): boolean {
  const { orders } = core
  const isLimitLeg = orders.details(slot).isShared
  const limitPrice = isLimitLeg ? terms.price : orders.price(other)
  const stop = isLimitLeg ? orders.price(other) : terms.orderType === OrderType.stop ? terms.stopPrice : terms.price
  return terms.side === Side.sell ? limitPrice > stop : limitPrice < stop
}

function amendedRefusal(core: Core, market: Market, slot: number, terms: PlaceOrder): number {
  const { orders } = core
  const isShared = isDetailed(orders.traits(slot)) && orders.details(slot).isShared
  if (isShared) return unbackedRefusal(core, market, orders.position(slot), terms)
  return orderRefusal(core, market, orders.position(slot), terms)
}

/** Asks for something as if an open order were not there. */
export function withoutOrder(core: Core, market: Market, slot: number, ask: () => number): number {
  const { orders, positions, balances } = core
  const position = orders.position(slot)
  const side = sideOf(orders.traits(slot))
  const hold = holdOf(core, market, slot)
  const lots = hold === 0 ? 0 : orders.remaining(slot)
  balances.addHeld(positions.heldBalance(position, side), -hold)
  positions.addOpen(position, side, -lots)
  core.replaced = slot
  const answer = ask()
  core.replaced = none
  balances.addHeld(positions.heldBalance(position, side), hold)
  positions.addOpen(position, side, lots)
  return answer
}

function setTerms(core: Core, slot: number, terms: PlaceOrder): void {
  const { orders } = core
  orders.setQuantity(slot, orders.filled(slot) + terms.quantity)
  orders.setPrice(slot, terms.orderType === OrderType.stop ? terms.stopPrice : terms.price)
  if (!isDetailed(orders.traits(slot))) return
  const details = orders.details(slot)
  if (terms.orderType !== OrderType.limit) details.stopPrice = terms.stopPrice
  if (terms.extras !== null) details.displayQuantity = terms.extras.displayQuantity
}

/** Keeps when the order was changed, of a plain one too. @param isResting whether it stands in its queue as before */
function noteChange(core: Core, slot: number, isResting: boolean): void {
  const { orders } = core
  if (!isDetailed(orders.traits(slot))) {
    const details = detailsOf(null)
    if (isResting && !isWaiting(orders.traits(slot))) details.shown = orders.remaining(slot)
    if (isWaiting(orders.traits(slot))) details.stopPrice = orders.price(slot)
    orders.setDetails(slot, details)
  }
  orders.details(slot).updatedAtMs = core.timeMs
}

function emitAmended(core: Core, slot: number): void {
  const { orders, positions, outcome } = core
  const account = positions.account(orders.position(slot))
  const terms = termsOf(core, slot)
  const at = outcome.begin(EventKind.orderAmended, 6)
  const { data } = outcome
  data[at] = account
  data[at + 1] = core.accounts.nextSequence(account)
  data[at + 2] = orders.id(slot)
  data[at + 3] = orders.quantity(slot)
  data[at + 4] = terms.price
  data[at + 5] = terms.stopPrice
}

import { OrderType, type AmendOrder } from '@maru/contracts/commands'
import { changesOf, checkedTerms, expiryOf, trailingHold, type Change } from './amended-terms.ts'
import { ownOrderRefusal } from './cancels.ts'
import type { Core } from './core.ts'
import { enter } from './execution.ts'
import type { Market } from './markets.ts'
import { none } from './no-slot.ts'
import { holdOf, shrink, withdraw } from './open-orders.ts'
import { orderRefusal, restPrice, termsRefusal, unbackedRefusal } from './order-checks.ts'
import { detailsOf } from './order-details.ts'
import { termsOf } from './order-terms.ts'
import { EventKind } from './outcome.ts'
import { expireLater } from './placement.ts'
import { Refusal } from './refusals.ts'
import { entryRefusal, rateRefusal } from './restrictions.ts'
import { isDetailed, isPending, isWaiting, orderTypeOf, sideOf } from './traits.ts'

/**
 * Changes what an open order is for. Where its prices stay, and neither its quantity nor what it shows grows, it keeps its place in the queue; else it is
 * checked like a new order, with what it holds counted as free, and goes to the end of the queue at its price, or trades. The other leg of an OCO, and the
 * exits of a bracket, follow its quantity. Refused, all stay as they were.
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
  const changes = changesOf(core, market, slot, command)
  const refused = typeof changes === 'number' ? changes : changesRefusal(core, market, changes)
  if (refused !== 0) {
    core.emitRefused(refused)
    return none
  }
  if (typeof changes === 'number' || changes.length === 0) {
    core.emitRepeated()
    return none
  }
  applyChanges(core, market, changes)
  return symbol
}

/** The first refusal of any of them, with what they hold counted as free. */
function changesRefusal(core: Core, market: Market, changes: readonly Change[]): number {
  for (const change of changes) {
    const refusal = change.keepsSize ? expiryRefusal(core, market, change) : changeRefusal(core, market, change)
    if (refusal !== 0) return refusal
  }
  return 0
}

function changeRefusal(core: Core, market: Market, change: Change): number {
  const { slot, keepsPlace } = change
  const { orders } = core
  const terms = checkedTerms(market, change)
  if (typeof terms === 'number') return terms
  if (keepsPlace || isPending(orders.traits(slot))) return termsRefusal(core, market, terms)
  return withoutOrder(core, market, slot, () =>
    isShared(core, slot)
      ? unbackedRefusal(core, market, orders.position(slot), terms)
      : orderRefusal(core, market, orders.position(slot), terms),
  )
}

function expiryRefusal(core: Core, market: Market, { terms }: Change): number {
  return entryRefusal(core, market, terms) || (expiryOf(terms) <= core.timeMs ? Refusal.invalid_expiry : 0)
}

const isShared = (core: Core, slot: number): boolean => isDetailed(core.orders.traits(slot)) && core.orders.details(slot).isShared

function applyChanges(core: Core, market: Market, changes: readonly Change[]): void {
  const { orders } = core
  const moved = changes.filter(({ slot, keepsPlace }) => !keepsPlace && !isPending(orders.traits(slot)))
  for (const { slot } of moved) {
    // A trailing stop goes on from the best price it has seen.
    const details = isDetailed(orders.traits(slot)) ? orders.details(slot) : undefined
    const best = details?.trail?.best ?? 0
    withdraw(core, market, slot)
    if (details) details.best = best
  }
  // The sums of a level are those of what stands in it: what keeps its place is changed there.
  for (const change of changes) if (!moved.includes(change)) changeInPlace(core, market, change)
  for (const change of moved) {
    noteChange(core, change.slot, false)
    setTerms(core, market, change)
  }
  for (const { slot } of changes) emitAmended(core, slot)
  // The stop leg of an OCO first: it holds for both.
  for (const { slot } of moved.toSorted((a, b) => Number(isShared(core, a.slot)) - Number(isShared(core, b.slot)))) {
    enter(core, market, slot)
    if (isDetailed(orders.traits(slot))) orders.details(slot).best = 0
  }
}

/** Lessens an order where it stands, or changes one that waits for its time. */
function changeInPlace(core: Core, market: Market, change: Change): void {
  const { orders, levels } = core
  const { slot, before, terms, display } = change
  const isInBook = !isWaiting(orders.traits(slot)) && !isPending(orders.traits(slot))
  if (isPending(orders.traits(slot))) {
    noteChange(core, slot, true)
    setTerms(core, market, change)
    return
  }
  if (terms.quantity < before.quantity) shrink(core, market, slot, before.quantity - terms.quantity)
  noteChange(core, slot, true)
  setExtras(core, change)
  const details = orders.details(slot)
  if (!isInBook || display === 0 || details.shown <= display) return
  levels.addQuantity(orders.level(slot), display - details.shown)
  details.shown = display
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

function setTerms(core: Core, market: Market, change: Change): void {
  const { orders } = core
  const { slot, terms, stop } = change
  orders.setQuantity(slot, orders.filled(slot) + terms.quantity)
  if (stop !== 0) orders.setPrice(slot, trailingHold(core, change))
  else if (terms.orderType === OrderType.trailingStop) {
    // Its time has not come: where it would stand now.
    orders.setPrice(slot, restPrice(market, terms))
    orders.details(slot).stopPrice = orders.price(slot)
  } else if (terms.orderType === OrderType.stop) orders.setPrice(slot, terms.stopPrice)
  else if (terms.price !== 0) orders.setPrice(slot, terms.price)
  setExtras(core, change)
  if (isWaiting(orders.traits(slot)) && orderTypeOf(orders.traits(slot)) !== OrderType.trailingStop)
    orders.details(slot).stopPrice = terms.stopPrice
}

/** What it shows, how it trails and when it expires. */
function setExtras(core: Core, { slot, before, terms, display }: Change): void {
  const details = core.orders.details(slot)
  if (terms.extras === null) return
  const { trailingOffset, trailingUnit, expiresAtMs } = terms.extras
  Object.assign(details, { displayQuantity: display, trailingOffset, trailingUnit, expiresAtMs })
  if (expiresAtMs !== expiryOf(before)) expireLater(core, core.orders.id(slot), expiresAtMs)
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

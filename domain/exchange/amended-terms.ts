import { ListKind, OrderType, Side, TimeInForce, TrailingUnit, type AmendOrder, type PlaceOrder } from '@maru/contracts/commands'
import type { Core } from './core.ts'
import { areApart, openLegs, pairOf } from './list-legs.ts'
import type { Market } from './markets.ts'
import { none } from './no-slot.ts'
import { isOffset, restPrice } from './order-checks.ts'
import { plainExtras } from './order-details.ts'
import { termsOf } from './order-terms.ts'
import { Refusal } from './refusals.ts'
import { hasThirdRules } from './rules.ts'
import { trailedPrice } from './trailing.ts'
import { isDetailed, isPending, isWaiting, orderTypeOf } from './traits.ts'

const unchanged = -1

/** What becomes of one order by an amendment. */
export interface Change {
  readonly slot: number
  /** What is open of it as it is, and as it would be. */
  readonly before: PlaceOrder
  readonly terms: PlaceOrder
  /** What it shows at a time, of an iceberg, however much of it is open. */
  readonly display: number
  /** Of a trailing stop that waits: where it would stand, after the best price it has seen. */
  readonly stop: number
  /** Its prices stay, and neither its quantity nor what it shows grows: so does its place. Its expiry is of no account. */
  readonly keepsPlace: boolean
  /** Nothing but its expiry is another. */
  readonly keepsSize: boolean
}

/**
 * What an amendment comes to: for the order itself first, then for those of its list that go with it. Empty where nothing would be another.
 *
 * @returns or why it cannot be asked for
 */
export function changesOf(core: Core, market: Market, slot: number, command: AmendOrder): Change[] | number {
  const refusal = fieldRefusal(core, slot, command)
  if (refusal !== 0) return refusal
  const { orders } = core
  const before = termsOf(core, slot)
  // Of an order whose quantity an own order has lessened, that much less is asked for.
  const prevented = isDetailed(orders.traits(slot)) ? orders.details(slot).prevented : 0
  const open = command.quantity === unchanged ? before.quantity : command.quantity - prevented - orders.filled(slot)
  if (!Number.isSafeInteger(open) || open <= 0) return Refusal.invalid_quantity
  const own = changeOf(core, slot, before, amended(core, slot, before, command, open), command.displayQuantity)
  if (!standsApart(core, market, own)) return Refusal.invalid_price
  const changes = [own]
  if (open !== before.quantity)
    for (const other of followersOf(core, slot)) changes.push(resized(core, other, wholeOf(core, slot, other, open)))
  return changes.filter(isChange)
}

/** Whether the order has what is to be changed. */
function fieldRefusal(core: Core, slot: number, command: AmendOrder): number {
  const traits = core.orders.traits(slot)
  const { price, stopPrice, trailingOffset, trailingUnit, expiresAtMs, displayQuantity } = command
  const { orderType, timeInForce, extras } = termsOf(core, slot)
  const hasLimit = hasLimitPrice(orderType)
  const mayRest = timeInForce === TimeInForce.gtc || timeInForce === TimeInForce.gtd
  const isAbsent =
    !mayBeAmended(core, slot, command) ||
    (price !== unchanged && !hasLimit) ||
    (stopPrice !== unchanged && !(isWaiting(traits) && orderType !== OrderType.trailingStop)) ||
    (trailingOffset !== unchanged && !(isWaiting(traits) && orderType === OrderType.trailingStop)) ||
    (expiresAtMs !== unchanged && !extras?.expiresAtMs) ||
    (displayQuantity !== unchanged && !(hasLimit && mayRest)) ||
    // The exits of a bracket are for as much as its entry.
    (command.quantity !== unchanged && isPending(traits) && listOf(core, slot)?.kind === ListKind.bracket)
  if (isAbsent) return Refusal.order_not_amendable
  const isUnit = trailingUnit === TrailingUnit.ticks || trailingUnit === TrailingUnit.basisPoints
  if (trailingOffset !== unchanged && !isUnit) return Refusal.invalid_trailing_delta
  if (expiresAtMs !== unchanged && !Number.isSafeInteger(expiresAtMs)) return Refusal.invalid_expiry
  const isShowable = displayQuantity === unchanged || (Number.isSafeInteger(displayQuantity) && displayQuantity > 0)
  return isShowable ? 0 : Refusal.invalid_display_quantity
}

/** Rules 2 change limit and stop orders alone, and of an OCO no quantity. */
function mayBeAmended(core: Core, slot: number, { quantity }: AmendOrder): boolean {
  if (hasThirdRules(core)) return true
  const traits = core.orders.traits(slot)
  const { orderType } = termsOf(core, slot)
  const isKnown = hasLimitPrice(orderType) || (isWaiting(traits) && orderType === OrderType.stop)
  return isKnown && !isPending(traits) && (quantity === unchanged || pairOf(core, slot) === none)
}

const hasLimitPrice = (orderType: OrderType): boolean => orderType === OrderType.limit || orderType === OrderType.stopLimit

function amended(core: Core, slot: number, before: PlaceOrder, command: AmendOrder, open: number): PlaceOrder {
  const { price, stopPrice, trailingOffset, trailingUnit, expiresAtMs, displayQuantity } = command
  const terms = sized(core, slot, before, open)
  if (price !== unchanged) terms.price = price
  if (stopPrice !== unchanged) terms.stopPrice = stopPrice
  if (trailingOffset === unchanged && expiresAtMs === unchanged && displayQuantity === unchanged) return terms
  const extras = { ...(terms.extras ?? plainExtras) }
  if (trailingOffset !== unchanged) Object.assign(extras, { trailingOffset, trailingUnit })
  if (expiresAtMs !== unchanged) extras.expiresAtMs = expiresAtMs
  // Of what it shows no more than is open counts; more than there ever was of it is refused.
  if (displayQuantity !== unchanged)
    extras.displayQuantity = displayQuantity > core.orders.filled(slot) + open ? displayQuantity : Math.min(displayQuantity, open)
  terms.extras = extras
  return terms
}

/** The order with so much open of it; it shows no more than that. */
function sized(core: Core, slot: number, before: PlaceOrder, open: number): PlaceOrder {
  const { extras } = before
  if (extras === null) return { ...before, quantity: open }
  const shown = Math.min(core.orders.details(slot).displayQuantity, open)
  return { ...before, quantity: open, extras: { ...extras, displayQuantity: shown } }
}

function resized(core: Core, slot: number, open: number): Change {
  const before = termsOf(core, slot)
  return changeOf(core, slot, before, sized(core, slot, before, open))
}

function changeOf(core: Core, slot: number, before: PlaceOrder, terms: PlaceOrder, displayQuantity: number = unchanged): Change {
  const { orders } = core
  const traits = orders.traits(slot)
  const shown = isDetailed(traits) ? orders.details(slot).displayQuantity : 0
  const isTrailing = isWaiting(traits) && !isPending(traits) && orderTypeOf(traits) === OrderType.trailingStop
  const { trailingUnit, trailingOffset } = terms.extras ?? plainExtras
  const stop = isTrailing ? trailedPrice(terms.side, orders.details(slot).trail!.best, trailingUnit, trailingOffset) : 0
  const keepsPlace = keepsPrices(before, terms) && showsNoMore(before, terms)
  const display = hasThirdRules(core)
    ? Math.min(displayQuantity === unchanged ? shown : displayQuantity, orders.filled(slot) + terms.quantity)
    : secondRulesDisplay(shown, terms, keepsPlace)
  const keepsSize =
    keepsPlace && terms.quantity === before.quantity && (display || orders.quantity(slot)) === (shown || orders.quantity(slot))
  return { slot, before, terms, display, stop, keepsPlace, keepsSize }
}

/** By rules 2 an order that moves shows no more than is open of it, from then on. */
function secondRulesDisplay(shown: number, { quantity }: PlaceOrder, keepsPlace: boolean): number {
  return keepsPlace ? shown : Math.min(shown, quantity)
}

function keepsPrices(before: PlaceOrder, { price, stopPrice, extras }: PlaceOrder): boolean {
  const { trailingOffset, trailingUnit } = extras ?? plainExtras
  const was = before.extras ?? plainExtras
  return (
    price === before.price &&
    stopPrice === before.stopPrice &&
    trailingOffset === was.trailingOffset &&
    (trailingOffset === 0 || trailingUnit === was.trailingUnit)
  )
}

function showsNoMore(before: PlaceOrder, terms: PlaceOrder): boolean {
  return terms.quantity <= before.quantity && shownOf(terms) <= shownOf(before)
}

const shownOf = ({ extras, quantity }: PlaceOrder): number => extras?.displayQuantity || quantity

const isChange = ({ before, terms, keepsSize }: Change): boolean => !keepsSize || expiryOf(terms) !== expiryOf(before)

export const expiryOf = ({ extras }: PlaceOrder): number => extras?.expiresAtMs ?? 0

const listOf = (core: Core, slot: number) =>
  isDetailed(core.orders.traits(slot)) ? core.lists.get(core.orders.details(slot).list) : undefined

/** Orders whose quantity follows that of another: the other leg of an OCO, and the exits of a bracket its entry. */
function followersOf(core: Core, slot: number): number[] {
  const pair = pairOf(core, slot)
  if (pair !== none) return [pair]
  const list = listOf(core, slot)
  return list?.isWaiting && list.kind === ListKind.bracket ? openLegs(core, list).filter((leg) => leg !== slot) : []
}

/** How much is open of a follower: as much as of the leg beside it; of an exit all that its entry may come to. */
function wholeOf(core: Core, slot: number, follower: number, open: number): number {
  return isPending(core.orders.traits(follower)) ? core.orders.filled(slot) + open : open
}

/** The legs of an OCO stand on both sides of the market: so the stop leg holds enough for both. Where no price is changed they stand as they stood. */
function standsApart(core: Core, market: Market, { slot, before, terms, stop }: Change): boolean {
  if (keepsPrices(before, terms)) return true
  const { orders } = core
  const list = listOf(core, slot)
  if (!list) return true
  const isExit = list.isWaiting && list.kind === ListKind.bracket && isPending(orders.traits(slot))
  const other = isExit ? openLegs(core, list).find((leg) => leg !== slot && leg !== orders.find(list.legs[0]!)) : pairOf(core, slot)
  if (other === undefined || other === none) return true
  const isLimitLeg = slot === orders.find(list.legs.at(-2)!)
  const [limitLeg, stopLeg] = isLimitLeg ? [terms, termsOf(core, other)] : [termsOf(core, other), terms]
  if (!hasThirdRules(core))
    return areApart(
      limitLeg,
      { ...stopLeg, orderType: OrderType.stop },
      stopPriceBySecondRules(stopLeg, isLimitLeg ? orders.price(other) : 0),
    )
  return areApart(limitLeg, stopLeg, isLimitLeg ? orders.price(other) : stop || restPrice(market, terms))
}

/** Where a trailing stop holds: for no less than the limit leg it holds for as well. */
export function trailingHold(core: Core, { slot, terms, stop }: Change): number {
  const pair = pairOf(core, slot)
  return pair !== none && terms.side === Side.buy ? Math.max(stop, core.orders.price(pair)) : stop
}

/** An order as it is to be checked: a trailing stop as a stop where it would stand. */
export function checkedTerms(market: Market, { terms, stop }: Change): PlaceOrder | number {
  if (stop === 0) return terms
  if (!isOffset(market, terms.extras!)) return Refusal.invalid_trailing_delta
  return { ...terms, orderType: OrderType.stop, stopPrice: stop, extras: { ...terms.extras!, trailingOffset: 0 } }
}

/** Rules 2 take of an amended stop leg its stop, or its limit where it has one, and of one that stays what it holds for. */
function stopPriceBySecondRules({ orderType, stopPrice, price }: PlaceOrder, held: number): number {
  if (held !== 0) return held
  return orderType === OrderType.stop ? stopPrice : price
}

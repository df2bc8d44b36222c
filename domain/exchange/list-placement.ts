import { ListKind, OrderType, TimeInForce, type PlaceList, type PlaceOrder } from '@maru/contracts/commands'
import type { Core } from './core.ts'
import { enter } from './execution.ts'
import { areApart } from './list-legs.ts'
import type { Market } from './markets.ts'
import { none } from './no-slot.ts'
import { rest } from './open-orders.ts'
import { orderRefusal, unbackedRefusal, restPrice, termsRefusal } from './order-checks.ts'
import { isWellFormed } from './order-form.ts'
import { EventKind } from './outcome.ts'
import { record, recordDetails, rememberOrder } from './placement.ts'
import { Refusal } from './refusals.ts'
import { openOrdersMaxOf, rateRefusal } from './restrictions.ts'
import { isDetailed, pendingTrait } from './traits.ts'
import { hasThirdRules } from './rules.ts'

const clientListIdMax = 64
/** No client order id begins with it, so lists and orders share one memory of ids. */
const listPrefix = '#'

/**
 * Takes orders that depend on each other, all or none. A list that is refused leaves no trace; a repeat of a known client list id changes nothing.
 *
 * @returns the market, or -1
 */
export function placeList(core: Core, command: PlaceList): number {
  const { account, clientListId, legs } = command
  if (!isListWellFormed(core, command)) {
    core.emitRefused(Refusal.invalid_request)
    return none
  }
  if (clientListId !== '' && repeatsList(core, command)) return none
  const market = core.market(legs[0]!.symbol)
  const refusal = !core.accounts.has(account)
    ? Refusal.account_not_found
    : market
      ? rateRefusal(core, account) || listRefusal(core, market, command)
      : Refusal.symbol_not_found
  if (!market || refusal !== 0) {
    core.emitRefused(refusal)
    return none
  }
  takeList(core, market, command)
  return market.symbol
}

function isListWellFormed(core: Core, { listKind, account, clientListId, legs }: PlaceList): boolean {
  if (typeof clientListId !== 'string' || clientListId.length > clientListIdMax || !Array.isArray(legs)) return false
  const expected = { [ListKind.oco]: 2, [ListKind.oto]: 2, [ListKind.bracket]: 3 }[listKind]
  const [first, ...others] = legs
  if (legs.length !== expected || first === undefined) return false
  const ids = legs.map((leg) => leg.clientOrderId).filter((id) => id !== '')
  if (new Set(ids).size !== ids.length) return false
  const areLegs = legs.every(
    (leg) =>
      isWellFormed(leg, core.rules) &&
      leg.account === account &&
      leg.symbol === first.symbol &&
      !(leg.extras && leg.extras.quoteQuantity !== 0),
  )
  if (!areLegs) return false
  if (listKind === ListKind.oto) return true
  const [limitLeg, stopLeg] = (listKind === ListKind.oco ? legs : others) as [PlaceOrder, PlaceOrder]
  const isPair =
    limitLeg.orderType === OrderType.limit &&
    stopLeg.orderType >= OrderType.stop &&
    limitLeg.side === stopLeg.side &&
    limitLeg.quantity === stopLeg.quantity &&
    [limitLeg, stopLeg].every(({ timeInForce }) => timeInForce === TimeInForce.gtc || timeInForce === TimeInForce.gtd)
  return isPair && (listKind === ListKind.oco || (first.side !== limitLeg.side && first.quantity === limitLeg.quantity))
}

function listRefusal(core: Core, market: Market, { listKind, account, legs }: PlaceList): number {
  const position = core.positionOf(account, market)
  for (const { clientOrderId } of legs) {
    if (clientOrderId !== '' && core.clientOrders.find(account, clientOrderId) >= 0) return Refusal.client_order_id_reused
  }
  const [first, second] = legs as [PlaceOrder, PlaceOrder]
  const refusal =
    listKind === ListKind.oco
      ? orderRefusal(core, market, position, second) || unbackedRefusal(core, market, position, first)
      : orderRefusal(core, market, position, first)
  if (refusal !== 0) return refusal
  for (const following of listKind === ListKind.oco ? [] : legs.slice(1)) {
    const terms = termsRefusal(core, market, following)
    if (terms !== 0) return terms
  }
  if (core.positions.openCount(position) + legs.length > openOrdersMaxOf(core, account)) return Refusal.open_order_limit
  const [limitLeg, stopLeg] = legs.slice(-2) as [PlaceOrder, PlaceOrder]
  return listKind === ListKind.oto || areApart(limitLeg, stopLeg, restPrice(market, stopLeg)) ? 0 : Refusal.invalid_price
}

function repeatsList(core: Core, { account, clientListId, listKind, legs }: PlaceList): boolean {
  const known = core.clientOrders.find(account, listPrefix + clientListId)
  if (known < 0) return false
  const { outcome, clientOrders } = core
  const at = outcome.begin(EventKind.listDuplicate, 5)
  outcome.data[at] = account
  outcome.data[at + 1] = core.clientOrders.figure(known, 0)
  outcome.data[at + 2] = core.clientOrders.hasTerms(known, listKind, legs[0]!.symbol, legs[0]!.quantity, legs[0]!.price) ? 0 : 1
  outcome.data[at + 3] = clientOrders.figure(known, 2)
  outcome.data[at + 4] = clientOrders.figure(known, 1)
  return true
}

function takeList(core: Core, market: Market, command: PlaceList): void {
  const { account, clientListId, listKind, legs } = command
  const position = core.positionOf(account, market)
  core.lastList += 1
  const id = core.lastList
  if (clientListId !== '') {
    core.clientOrders.find(account, listPrefix + clientListId)
    core.clientOrders.addMissing(
      account,
      listPrefix + clientListId,
      id,
      core.lastOrder + 1,
      listKind,
      legs[0]!.symbol,
      legs[0]!.quantity,
      legs[0]!.price,
    )
  }
  const firstOrder = core.lastOrder + 1
  core.lists.set(id, {
    id,
    kind: listKind,
    account,
    symbol: market.symbol,
    clientListId,
    legs: legs.map((_, leg) => firstOrder + leg),
    isWaiting: listKind !== ListKind.oco,
    filled: 0,
  })
  emitList(core, account, id, listKind, legs.length)
  const slots = legs.map((leg) => takeLeg(core, market, position, leg, id))
  if (listKind === ListKind.oco) {
    const [limitLeg, stopLeg] = slots as [number, number]
    core.orders.details(limitLeg).isShared = true
    // The stop first: it holds for both.
    enter(core, market, stopLeg)
    enter(core, market, limitLeg)
    return
  }
  for (const slot of slots.slice(1)) {
    core.orders.setTraits(slot, core.orders.traits(slot) | pendingTrait)
    rest(core, market, slot)
  }
  enter(core, market, slots[0]!)
}

function takeLeg(core: Core, market: Market, position: number, leg: PlaceOrder, list: number): number {
  const slot = record(core, market, position, leg, 0)
  if (leg.clientOrderId !== '') {
    core.clientOrders.find(leg.account, leg.clientOrderId)
    rememberOrder(core, leg, 0)
  }
  if (!isDetailed(core.orders.traits(slot))) recordDetails(core, slot, leg)
  core.orders.details(slot).list = list
  core.emitOrder(EventKind.orderAccepted, leg.account, core.lastOrder, market.symbol)
  return slot
}

function emitList(core: Core, account: number, list: number, kind: ListKind, count: number): void {
  const { outcome } = core
  const isNumbered = hasThirdRules(core)
  const at = outcome.begin(EventKind.listAccepted, isNumbered ? 7 : 6)
  const { data } = outcome
  data[at] = account
  if (isNumbered) data[at + 1] = core.accounts.nextSequence(account)
  const rest = isNumbered ? at + 2 : at + 1
  data[rest] = list
  data[rest + 1] = kind
  for (let leg = 0; leg < 3; leg++) data[rest + 2 + leg] = leg < count ? core.lastOrder + 1 + leg : 0
}

import { OrderType, type Side, type TimeInForce } from '@maru/contracts/commands'

/** Constants of this module are folded into the machine code; imported ones are looked up at each use. */
const { stop } = OrderType

/**
 * What an order is, packed in one integer. The low seven bits are those of rules 1, and of snapshots of version 1: side, two bits of the type,
 * time in force, whether it is a quote of a mass quote, whether it has a client order id.
 */
export function packTraits(side: Side, orderType: OrderType, timeInForce: TimeInForce, isQuote: boolean): number {
  const type = ((orderType & 3) << 1) | ((orderType & 4) << typeShift)
  return side | type | (timeInForce << 3) | (isQuote ? quoteTrait : 0) | (orderType >= stop ? waiting : 0)
}

/** Constants that are exported are looked up at each use, in this module too: those that the tests below use are not. */
const typeShift = 5
const quoteTrait = 1 << 5
const idTrait = 1 << 6
const detailed = 1 << 8
const postOnly = 1 << 9
const reduceOnly = 1 << 10
const waiting = 1 << 11
const pending = 1 << 12
/** Status and refusal lie above in the same integer. */
const stateShift = 13

export const clientOrderIdTrait = idTrait
/** It has an `OrderDetails`. */
export const detailedTrait = detailed
export const postOnlyTrait = postOnly
export const reduceOnlyTrait = reduceOnly
/** A stop that has not been triggered. */
export const waitingTrait = waiting
/** An order of a list whose time has not come: it is neither in a book nor among the stops, and holds nothing. */
export const pendingTrait = pending

export const sideOf = (traits: number): Side => (traits & 1) as Side
export const orderTypeOf = (traits: number): OrderType => (((traits >> 1) & 3) | ((traits >> typeShift) & 4)) as OrderType
export const isPlainStop = (traits: number): boolean => orderTypeOf(traits) === stop
export const timeInForceOf = (traits: number): TimeInForce => ((traits >> 3) & 3) as TimeInForce
export const isQuote = (traits: number): boolean => (traits & quoteTrait) !== 0
export const hasClientOrderId = (traits: number): boolean => (traits & idTrait) !== 0
export const isDetailed = (traits: number): boolean => (traits & detailed) !== 0
export const isPostOnly = (traits: number): boolean => (traits & postOnly) !== 0
export const isReduceOnly = (traits: number): boolean => (traits & reduceOnly) !== 0
export const isWaiting = (traits: number): boolean => (traits & waiting) !== 0
export const isPending = (traits: number): boolean => (traits & pending) !== 0

const firstRulesBits = 7
const firstRulesMask = (1 << firstRulesBits) - 1
const statusMask = 7

/** Traits with the status as snapshots of version 1 have them; all that rules 1 can make is in them. */
export function firstRulesTraits(traits: number): number {
  return (traits & firstRulesMask) | (((traits >> stateShift) & statusMask) << firstRulesBits)
}

/** The other way round. */
export function fromFirstRulesTraits(traits: number): number {
  const low = traits & firstRulesMask
  return low | (((traits >> firstRulesBits) & statusMask) << stateShift) | (isPlainStop(low) ? waiting : 0)
}

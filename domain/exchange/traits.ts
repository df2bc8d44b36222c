import { OrderType, type Side, type TimeInForce } from '@maru/contracts/commands'

/** Constants of this module are folded into the machine code; imported ones are looked up at each use. */
const { stop } = OrderType

/**
 * What an order is, packed in one integer. The low seven bits are those of rules 1, and of snapshots of version 1: side, two bits of the type,
 * time in force, whether it is a quote of a mass quote, whether it has a client order id.
 */
export function packTraits(side: Side, orderType: OrderType, timeInForce: TimeInForce, isQuote: boolean): number {
  const type = ((orderType & 3) << 1) | ((orderType & 4) << typeShift)
  return side | type | (timeInForce << 3) | (isQuote ? quoteTrait : 0) | (orderType >= stop ? waitingTrait : 0)
}

const typeShift = 5
const quoteTrait = 1 << 5
export const clientOrderIdTrait = 1 << 6
/** It has an `OrderDetails`. */
export const detailedTrait = 1 << 8
export const postOnlyTrait = 1 << 9
export const reduceOnlyTrait = 1 << 10
/** A stop that has not been triggered. */
export const waitingTrait = 1 << 11
/** An order of a list whose time has not come: it is neither in a book nor among the stops, and holds nothing. */
export const pendingTrait = 1 << 12
/** Status and refusal lie above in the same integer. */
export const traitBits = 13

export const sideOf = (traits: number): Side => (traits & 1) as Side
export const orderTypeOf = (traits: number): OrderType => (((traits >> 1) & 3) | ((traits >> typeShift) & 4)) as OrderType
export const isPlainStop = (traits: number): boolean => orderTypeOf(traits) === stop
export const timeInForceOf = (traits: number): TimeInForce => ((traits >> 3) & 3) as TimeInForce
export const isQuote = (traits: number): boolean => (traits & quoteTrait) !== 0
export const hasClientOrderId = (traits: number): boolean => (traits & clientOrderIdTrait) !== 0
export const isDetailed = (traits: number): boolean => (traits & detailedTrait) !== 0
export const isPostOnly = (traits: number): boolean => (traits & postOnlyTrait) !== 0
export const isReduceOnly = (traits: number): boolean => (traits & reduceOnlyTrait) !== 0
export const isWaiting = (traits: number): boolean => (traits & waitingTrait) !== 0
export const isPending = (traits: number): boolean => (traits & pendingTrait) !== 0

const firstRulesBits = 7
const firstRulesMask = (1 << firstRulesBits) - 1
const statusMask = 7

/** Traits with the status as snapshots of version 1 have them; all that rules 1 can make is in them. */
export function firstRulesTraits(traits: number): number {
  return (traits & firstRulesMask) | (((traits >> traitBits) & statusMask) << firstRulesBits)
}

/** The other way round. */
export function fromFirstRulesTraits(traits: number): number {
  const low = traits & firstRulesMask
  return low | (((traits >> firstRulesBits) & statusMask) << traitBits) | (isPlainStop(low) ? waitingTrait : 0)
}

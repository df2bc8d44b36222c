import { OrderType, type Side, type TimeInForce } from '@maru/contracts/commands'

/** Constants of this module are folded into the machine code; imported ones are looked up at each use. */
const { stop } = OrderType

/**
 * What never changes of an order, packed in one integer: side, type, time in force, whether it is a quote of a mass quote, and whether
 * it has a client order id. Seven bits.
 */
export function packTraits(side: Side, orderType: OrderType, timeInForce: TimeInForce, isQuote: boolean): number {
  return side | (orderType << 1) | (timeInForce << 3) | (isQuote ? 32 : 0)
}

export const sideOf = (traits: number): Side => (traits & 1) as Side
export const orderTypeOf = (traits: number): OrderType => ((traits >> 1) & 3) as OrderType
export const isStop = (traits: number): boolean => orderTypeOf(traits) === stop
export const timeInForceOf = (traits: number): TimeInForce => ((traits >> 3) & 3) as TimeInForce
export const isQuote = (traits: number): boolean => (traits & 32) !== 0
export const clientOrderIdTrait = 64
export const hasClientOrderId = (traits: number): boolean => (traits & clientOrderIdTrait) !== 0

/** Largest integer that every figure of money, price and quantity is checked against: 2^53 - 1. */
export const amountMax = Number.MAX_SAFE_INTEGER

export type Rounding = 'down' | 'up' | 'half_even'

/**
 * `a × b ÷ c` in whole units, exact for products beyond 2^53.
 *
 * @param a, b whole, 0 … 2^53 - 1
 * @param c whole, 1 … 2^53 - 1
 * @returns the rounded quotient; Infinity where it is not a safe integer, so that a comparison with any bound refuses it
 */
export function mulDiv(a: number, b: number, c: number, rounding: Rounding): number {
  const product = a * b
  if (product <= amountMax) {
    // For a dividend below 2^53 the floor of the quotient is exact: the distance to the next integer, at least 1/c, is more than the rounding error.
    const quotient = Math.floor(product / c)
    return rounded(quotient, product - quotient * c, c, rounding)
  }
  return c <= estimateDivisorMax ? mulDivByEstimate(a, b, c, rounding) : mulDivWide(a, b, c, rounding)
}

/** Below this divisor the remainder of an estimated quotient is exact in doubles. */
const estimateDivisorMax = 2 ** 50
/** 2^27 + 1: multiplied by it and subtracted, a double falls into two halves whose products are exact (Veltkamp). */
const splitter = 134_217_729

/**
 * The quotient is estimated in doubles, right to a few units, and put right by its remainder a × b - quotient × c. Both products are taken
 * with their exact rounding errors (Dekker's two-product), so that their difference, which is small, is exact.
 */
function mulDivByEstimate(a: number, b: number, c: number, rounding: Rounding): number {
  const product = a * b
  let quotient = Math.floor(product / c)
  if (quotient > amountMax) return quotient > amountMax * 2 ? Number.POSITIVE_INFINITY : mulDivWide(a, b, c, rounding)
  const back = quotient * c
  let remainder = product - back + (productError(a, b, product) - productError(quotient, c, back))
  while (remainder < 0) {
    quotient -= 1
    remainder += c
  }
  while (remainder >= c) {
    quotient += 1
    remainder -= c
  }
  return rounded(quotient, remainder, c, rounding)
}

/** What was lost in rounding `a × b` to `product`. */
function productError(a: number, b: number, product: number): number {
  const aSplit = splitter * a
  const aHigh = aSplit - (aSplit - a)
  const aLow = a - aHigh
  const bSplit = splitter * b
  const bHigh = bSplit - (bSplit - b)
  const bLow = b - bHigh
  return aHigh * bHigh - product + aHigh * bLow + aLow * bHigh + aLow * bLow
}

function rounded(quotient: number, remainder: number, divisor: number, rounding: Rounding): number {
  if (remainder === 0 || rounding === 'down') return quotient
  if (rounding === 'up') return safe(quotient + 1)
  // Compared without doubling the remainder, which could pass 2^53.
  const missing = divisor - remainder
  return remainder > missing || (remainder === missing && quotient % 2 === 1) ? safe(quotient + 1) : quotient
}

function mulDivWide(a: number, b: number, c: number, rounding: Rounding): number {
  const product = BigInt(a) * BigInt(b)
  const divisor = BigInt(c)
  let quotient = product / divisor
  const remainder = product % divisor
  if (rounding === 'up' && remainder > 0n) quotient += 1n
  if (rounding === 'half_even') {
    const twice = remainder * 2n
    if (twice > divisor || (twice === divisor && quotient % 2n === 1n)) quotient += 1n
  }
  return safe(Number(quotient))
}

function safe(value: number): number {
  return value <= amountMax ? value : Number.POSITIVE_INFINITY
}

/** Stops at a broken rule of the code itself, in production too: a wrong state must not go on. Bad input never comes here. */
export function invariant(condition: boolean, message: string): asserts condition {
  if (!condition) throw new Error(`invariant broken: ${message}`)
}

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
  // a = whole × c + rest, hence a × b ÷ c = whole × b + rest × b ÷ c, where rest × b is mostly small enough.
  const whole = Math.floor(a / c)
  const rest = a - whole * c
  const restProduct = rest * b
  if (restProduct > amountMax) return mulDivWide(a, b, c, rounding)
  const restQuotient = Math.floor(restProduct / c)
  const quotient = whole * b + restQuotient
  if (quotient > amountMax) return Number.POSITIVE_INFINITY
  return rounded(quotient, restProduct - restQuotient * c, c, rounding)
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

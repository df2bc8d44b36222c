import { amountMax } from './arithmetic.ts'

/** Why a decimal could not be taken: not a plain decimal at all, more digits than the scale has, or beyond 2^53 units. */
export type DecimalFault = 'malformed' | 'too_precise' | 'too_large'

/** Any number of so many digits is below 2^53. */
const exactDigits = 15

/** Longest text that is looked at; anything longer is malformed, whatever it says. */
const charactersMax = 64

const plain = /^([0-9]+)(?:\.([0-9]+))?$/
const scientific = /^([0-9]+)(?:\.([0-9]+))?e([+-][0-9]{1,3})$/

/**
 * Reads a decimal of the wire as whole units of 10^-scale, never rounding: trailing zeros beyond the scale are fine, other digits are not.
 * Texts are plain decimals without sign or exponent; numbers are read by their shortest form, so 1e-7 is one ten-millionth.
 *
 * @param scale decimals of the unit, 0 … 18
 * @returns units from 0 to 2^53 - 1, or the fault
 */
export function parseDecimal(value: string | number, scale: number): number | DecimalFault {
  if (typeof value === 'number') return parseNumber(value, scale)
  if (value.length > charactersMax) return 'malformed'
  const match = plain.exec(value)
  return match ? toUnits(match[1] ?? '', match[2] ?? '', scale) : 'malformed'
}

function parseNumber(value: number, scale: number): number | DecimalFault {
  if (Number.isNaN(value) || value < 0) return 'malformed'
  if (value > amountMax) return 'too_large'
  const text = String(value)
  const match = plain.exec(text)
  if (match) return toUnits(match[1] ?? '', match[2] ?? '', scale)
  const parts = scientific.exec(text)
  if (!parts) return 'malformed'
  return shifted(parts[1] ?? '', parts[2] ?? '', Number(parts[3]), scale)
}

/** A number in scientific notation; below 2^53 JavaScript only writes negative exponents. */
function shifted(whole: string, fraction: string, exponent: number, scale: number): number | DecimalFault {
  return exponent < 0 ? toUnits('0', '0'.repeat(-exponent - whole.length) + whole + fraction, scale) : 'malformed'
}

function toUnits(whole: string, fraction: string, scale: number): number | DecimalFault {
  const significant = withoutTrailingZeros(fraction)
  if (significant.length > scale) return 'too_precise'
  if (whole.length + scale <= exactDigits) return Number(whole + significant.padEnd(scale, '0'))
  const digits = (whole + significant.padEnd(scale, '0')).replace(/^0+/, '')
  // 2^53 has 16 digits: beyond them no conversion is needed to know.
  if (digits.length > 16) return 'too_large'
  const units = Number(digits)
  return units > amountMax ? 'too_large' : units
}

function withoutTrailingZeros(digits: string): string {
  let end = digits.length
  while (end > 0 && digits.charCodeAt(end - 1) === 48) end -= 1
  return end === digits.length ? digits : digits.slice(0, end)
}

/** 10^0 … 10^15: looked up, as a power is computed anew each time. */
const powersOfTen: readonly number[] = Array.from({ length: exactDigits + 1 }, (_, exponent) => 10 ** exponent)

/** Whole units of 10^-scale as a decimal text without exponent, trailing zeros trimmed: `formatUnits(12500, 3)` is `12.5`. */
export function formatUnits(units: number | bigint, scale: number): string {
  if (typeof units === 'number' && units >= -amountMax && units <= amountMax && scale <= exactDigits)
    return units < 0 ? `-${formatSmall(-units, scale)}` : formatSmall(units, scale)
  const text = BigInt(units).toString()
  const isNegative = text.startsWith('-')
  const digits = (isNegative ? text.slice(1) : text).padStart(scale + 1, '0')
  const whole = digits.slice(0, digits.length - scale)
  const fraction = withoutTrailingZeros(digits.slice(digits.length - scale))
  return `${isNegative ? '-' : ''}${whole}${fraction === '' ? '' : `.${fraction}`}`
}

/** The same for whole units from 0 to 2^53 - 1, in plain numbers. */
function formatSmall(units: number, scale: number): string {
  const one = powersOfTen[scale]!
  let whole = Math.floor(units / one)
  let fraction = units - whole * one
  if (fraction < 0) {
    // The quotient was rounded up to the next whole number.
    whole -= 1
    fraction += one
  }
  if (fraction === 0) return String(whole)
  let digits = scale
  for (; fraction % 10 === 0; digits -= 1) fraction /= 10
  return `${whole}.${String(fraction).padStart(digits, '0')}`
}

/**
 * `numerator ÷ denominator` as a decimal text with at most `decimals` places, half-even, trailing zeros trimmed. For figures that are
 * only shown, such as an average price; `denominator` must not be 0 (RangeError).
 */
export function formatRatio(numerator: number | bigint, denominator: number | bigint, decimals: number): string {
  let divisor = BigInt(denominator)
  let dividend = BigInt(numerator) * 10n ** BigInt(decimals)
  if (divisor < 0n) {
    divisor = -divisor
    dividend = -dividend
  }
  const isNegative = dividend < 0n
  if (isNegative) dividend = -dividend
  let quotient = dividend / divisor
  const twice = (dividend % divisor) * 2n
  if (twice > divisor || (twice === divisor && quotient % 2n === 1n)) quotient += 1n
  return formatUnits(isNegative ? -quotient : quotient, decimals)
}

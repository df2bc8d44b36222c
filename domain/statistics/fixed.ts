/**
 * Sums of money in statistics: whole units of 10^-12 as bigint, so that amounts of any account, prices and average prices of any market meet exactly.
 * Only products round, and only what is shown is cut to fewer decimals.
 */
export type Fixed = bigint

const scale = 12
const one = 10n ** BigInt(scale)

/** Reads a plain decimal with an optional sign; digits beyond the twelfth are cut. Throws RangeError on anything else. */
export function parseFixed(text: string): Fixed {
  const match = /^(-?)(\d{1,60})(?:\.(\d{1,60}))?$/.exec(text)
  if (!match) throw new RangeError(`not a plain decimal: ${text.slice(0, 80)}`)
  const units = BigInt((match[2] ?? '') + (match[3] ?? '').slice(0, scale).padEnd(scale, '0'))
  return match[1] === '-' ? -units : units
}

/** As a decimal text with at most `decimals` places, half away from zero, trailing zeros trimmed. */
export function formatFixed(value: Fixed, decimals = 8): string {
  const step = 10n ** BigInt(scale - decimals)
  const magnitude = ((value < 0n ? -value : value) + step / 2n) / step
  const digits = magnitude.toString().padStart(decimals + 1, '0')
  const fraction = digits.slice(digits.length - decimals).replace(/0+$/, '')
  const sign = value < 0n && magnitude > 0n ? '-' : ''
  return `${sign}${digits.slice(0, digits.length - decimals)}${fraction === '' ? '' : `.${fraction}`}`
}

/** Product, rounded toward zero to 10^-12. */
export function multiply(left: Fixed, right: Fixed): Fixed {
  return (left * right) / one
}

/** For ratios and returns, where a float is good enough. */
export function toFloat(value: Fixed): number {
  return Number(value / one) + Number(value % one) / Number(one)
}

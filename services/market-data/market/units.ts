/** Prices and quantities inside this service are whole units of 10^-8, the finest step any source or file uses. */
export const unitScale = 8
const unitsPerOne = 100_000_000

/** Units of a decimal such as "0.3241"; undefined where it is not a plain decimal of at most 8 places within 2^53 units. */
export function parseUnits(text: string): number | undefined {
  if (!/^[0-9]{1,12}(\.[0-9]{1,8})?$/.test(text)) return undefined
  const point = text.indexOf('.')
  const whole = point < 0 ? text : text.slice(0, point)
  const fraction = point < 0 ? '' : text.slice(point + 1)
  const units = Number(whole) * unitsPerOne + Number(fraction.padEnd(unitScale, '0'))
  return Number.isSafeInteger(units) ? units : undefined
}

/** Units of a figure that an exchange library gives as a number; undefined where it is not a positive finite number in range. */
export function unitsOfNumber(value: unknown): number | undefined {
  if (typeof value !== 'number' || !Number.isFinite(value) || value <= 0) return undefined
  const units = Math.round(value * unitsPerOne)
  return Number.isSafeInteger(units) && units > 0 ? units : undefined
}

/** Decimal of units, without trailing zeros: 2775363000000 is "27753.63". */
export function formatUnits(units: number | bigint): string {
  const negative = units < 0
  const digits = String(negative ? -units : units).padStart(unitScale + 1, '0')
  const fraction = digits.slice(-unitScale).replace(/0+$/, '')
  return `${negative ? '-' : ''}${digits.slice(0, -unitScale)}${fraction === '' ? '' : `.${fraction}`}`
}

/** The multiple of `stepUnits` nearest to `units`, at least one step. */
export function roundToStep(units: number, stepUnits: number): number {
  return Math.max(Math.round(units / stepUnits), 1) * stepUnits
}

/** (`to` − `from`) / `from` in percent, four decimals, rounded half away from zero. */
export function percentChange(from: number, to: number): string {
  const scaled = (BigInt(to) - BigInt(from)) * 1_000_000n
  const divisor = BigInt(from)
  const half = scaled < 0n ? -divisor / 2n : divisor / 2n
  return formatUnits(((scaled + half) / divisor) * 10_000n)
}

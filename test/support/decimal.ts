/** Exact decimal arithmetic for expected figures in tests, independent of the product's own: BigInt at 18 decimals. */
const scale = 18

export function dec(text: string): bigint {
  const parts = /^(-?)(\d+)(?:\.(\d+))?$/.exec(text)
  if (!parts) throw new Error(`"${text}" is not a decimal`)
  const units = BigInt(parts[2]! + (parts[3] ?? '').padEnd(scale, '0').slice(0, scale))
  return parts[1] === '-' ? -units : units
}

export function mul(a: bigint, b: bigint): bigint {
  return (a * b) / 10n ** BigInt(scale)
}

export function div(a: bigint, b: bigint): bigint {
  return (a * 10n ** BigInt(scale)) / b
}

/** The decimal cut (towards zero) to `digits`, without trailing zeros. */
export function text(value: bigint, digits = scale): string {
  const sign = value < 0n ? '-' : ''
  const all = (value < 0n ? -value : value).toString().padStart(scale + 1, '0')
  const fraction = all.slice(-scale).slice(0, digits).replace(/0+$/, '')
  const whole = all.slice(0, -scale)
  const out = fraction === '' ? whole : `${whole}.${fraction}`
  return out === '0' ? '0' : sign + out
}

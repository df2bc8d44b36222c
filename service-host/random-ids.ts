import { randomFillSync } from 'node:crypto'

const pool = Buffer.allocUnsafe(4_096)
let hex = ''
let used = 0

/** Random hexadecimal digits, an even number of them. For ids of which every request gets one: the random bytes become text many at a time. */
export function randomHex(digits: number): string {
  if (used + digits > hex.length) {
    hex = randomFillSync(pool).toString('hex')
    used = 0
  }
  const from = used
  used += digits
  return hex.slice(from, used)
}

const variants = '89ab'

/** A random UUID (RFC 9562, version 4). */
export function newRequestId(): string {
  const digits = randomHex(32)
  const variant = variants[Number.parseInt(digits[16]!, 16) & 3]
  return `${digits.slice(0, 8)}-${digits.slice(8, 12)}-4${digits.slice(13, 16)}-${variant}${digits.slice(17, 20)}-${digits.slice(20)}`
}

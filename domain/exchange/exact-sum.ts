const half = 2 ** 52

/** A sum that may pass 2^53 and stays exact: `high × 2^52 + low`, without BigInt where it is added to. Never negative. */
export class ExactSum {
  high = 0
  low = 0

  /** @param units whole, 0 … 2^53 - 1 */
  add(units: number): void {
    let rest = units
    if (rest >= half) {
      rest -= half
      this.high += 1
    }
    this.low += rest
    if (this.low >= half) {
      this.low -= half
      this.high += 1
    }
  }

  toBigInt(): bigint {
    return BigInt(this.high) * BigInt(half) + BigInt(this.low)
  }
}

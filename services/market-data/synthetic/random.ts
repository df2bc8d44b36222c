/**
 * Randomness as a function of place: the same (seed, coordinates) give the same number on every machine and at any time, so the
 * synthetic market can be looked up at a moment without having been run up to it.
 */

/** Mixes two 32-bit words into one; the finaliser is that of MurmurHash3 (Appleby, public domain). */
export function mix(a: number, b: number): number {
  let h = (a ^ Math.imul(b | 0, 0x9e3779b1)) | 0
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
  return (h ^ (h >>> 16)) >>> 0
}

/** A stream of uniform numbers in (0, 1), from one 32-bit key: a Weyl sequence through the same finaliser. */
export class RandomStream {
  #state: number

  constructor(key: number) {
    this.#state = key | 0
  }

  /** Above 0 and below 1, so that its logarithm is finite. */
  uniform(): number {
    this.#state = (this.#state + 0x9e3779b9) | 0
    const high = mix(this.#state, 0x51ed270b)
    return (high + 0.5) / 4_294_967_296
  }

  /** Standard normal (Box and Muller, 1958). */
  normal(): number {
    return Math.sqrt(-2 * Math.log(this.uniform())) * Math.cos(2 * Math.PI * this.uniform())
  }

  /** Student's t with `degrees` > 2 of freedom, scaled to variance 1 (Bailey 1994, polar method). */
  studentT(degrees: number): number {
    const u = this.uniform()
    const t = Math.sqrt(degrees * (u ** (-2 / degrees) - 1)) * Math.cos(2 * Math.PI * this.uniform())
    return t * Math.sqrt((degrees - 2) / degrees)
  }

  /** Poisson with mean `mean`: by counting for small means (Knuth), by the normal approximation for large ones. */
  poisson(mean: number): number {
    if (mean > 40) return Math.max(0, Math.round(mean + Math.sqrt(mean) * this.normal()))
    const limit = Math.exp(-mean)
    let product = this.uniform()
    let count = 0
    while (product > limit) {
      product *= this.uniform()
      count++
    }
    return count
  }
}

/** Standard normal at a place. */
export function normalAt(key: number, index: number): number {
  return new RandomStream(mix(mix(key, index), Math.floor(index / 4_294_967_296))).normal()
}

/**
 * A stationary Gaussian process of variance 1 at time `t`, whose memory is about one `period`: independent normals stand at multiples of
 * the period, and weights on a quarter circle between them keep the variance at 1 everywhere.
 */
export function noiseAt(key: number, t: number, period: number): number {
  const place = t / period
  const index = Math.floor(place)
  const angle = (place - index) * (Math.PI / 2)
  return normalAt(key, index) * Math.cos(angle) + normalAt(key, index + 1) * Math.sin(angle)
}

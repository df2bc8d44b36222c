import { mix, noiseAt, normalAt, RandomStream } from './random.ts'
import type { ReturnParameters } from './parameters.ts'

/** Memories of the volatility in minutes: short bursts, sessions, days. */
export const volatilityPeriodsMinutes = [4, 20, 90, 480, 2_880] as const

export const minutesPerDay = 1_440
const levelMemoryDays = 30
const levelTermsMax = 240

/**
 * Log prices of one synthetic market, by minute, as a function of (key, minute) alone.
 *
 * A minute's return is sigma × exp(h − var h) × t: h, the log volatility, is a sum of Gaussian processes of several memories (so that absolute
 * returns stay correlated for hours), t is Student's. The level at each midnight is a stationary process of its own (AR(1) over days, memory
 * 30 days, finitely many terms), and each day's minutes are bridged between its midnights; so any moment costs at most a day of
 * minutes to look up, and the price never wanders off for good.
 */
export class ReturnModel {
  readonly #parameters: ReturnParameters
  readonly #key: number
  readonly #volatilityKeys: number[]
  readonly #levels = new Map<number, number>()

  constructor(key: number, parameters: ReturnParameters) {
    this.#key = key
    this.#parameters = parameters
    this.#volatilityKeys = volatilityPeriodsMinutes.map((_, index) => mix(key, 0x0a00 + index))
  }

  /** Standard deviation of the return of this minute. Its mean square over time is sigma². */
  volatility(minute: number): number {
    const { sigma, logVolatilityVariance } = this.#parameters
    return sigma * Math.exp(this.logVolatility(minute) - logVolatilityVariance)
  }

  /** h: mean 0, variance `logVolatilityVariance`. */
  logVolatility(minute: number): number {
    const { logVolatilityVariance, volatilityWeights } = this.#parameters
    let sum = 0
    for (const [index, period] of volatilityPeriodsMinutes.entries())
      sum += Math.sqrt(volatilityWeights[index]!) * noiseAt(this.#volatilityKeys[index]!, minute, period)
    return Math.sqrt(logVolatilityVariance) * sum
  }

  /** The return of the minute before any bridging: the figures are fitted on these. */
  rawReturn(minute: number): number {
    return this.volatility(minute) * new RandomStream(mix(mix(this.#key, 0x0b00), minute)).studentT(this.#parameters.tailDegrees)
  }

  /** Log of price over base at the close of each minute of the day; index 0 is the close of the first minute. */
  dayPath(day: number): Float64Array {
    const path = new Float64Array(minutesPerDay)
    let sum = 0
    for (let index = 0; index < minutesPerDay; index++) {
      sum += this.rawReturn(day * minutesPerDay + index)
      path[index] = sum
    }
    const from = this.level(day)
    const drift = (this.level(day + 1) - from - sum) / minutesPerDay
    for (let index = 0; index < minutesPerDay; index++) path[index]! += from + drift * (index + 1)
    return path
  }

  /** Log of price over base at the midnight at which `day` begins. */
  level(day: number): number {
    const known = this.#levels.get(day)
    if (known !== undefined) return known
    const decay = Math.exp(-1 / levelMemoryDays)
    const step = this.#parameters.sigma * Math.sqrt(minutesPerDay)
    const key = mix(this.#key, 0x0c00)
    let sum = 0
    let weight = 1
    for (let back = 0; back < levelTermsMax; back++) {
      sum += weight * normalAt(key, day - back)
      weight *= decay
    }
    const level = sum * step
    if (this.#levels.size > 64) this.#levels.clear()
    this.#levels.set(day, level)
    return level
  }
}

import { minuteMs, type Candle } from '@maru/domain/candles'
import { roundToStep } from '../market/units.ts'
import type { MarketDefinition } from '../market/symbols.ts'
import type { Tick } from '../source.ts'
import { minutesPerDay, ReturnModel } from './model.ts'
import { spread, takerBuyShare, takerNotional, type MarketParameters } from './parameters.ts'
import { mix, noiseAt, RandomStream } from './random.ts'

const sources = ['synthetic'] as const
const secondsPerMinute = 60
/** More trades than this in one minute are left out: the bound of what one minute can cost. */
const tradesPerMinuteMax = 4_000
const rateNoisePeriodMinutes = 7

/** One synthetic market: ticks and candles of any minute, a function of (seed, symbol, minute) alone. */
export class SyntheticMarket {
  readonly #definition: MarketDefinition
  readonly #parameters: MarketParameters
  readonly #model: ReturnModel
  readonly #key: number
  readonly #days = new Map<number, Float64Array>()

  constructor(seed: number, index: number, definition: MarketDefinition, parameters: MarketParameters) {
    this.#definition = definition
    this.#parameters = parameters
    this.#key = mix(seed, 0x5eed + index)
    this.#model = new ReturnModel(this.#key, parameters.returns)
  }

  /** Log of price over base at the close of a minute since 1970. */
  logClose(minute: number): number {
    const day = Math.floor(minute / minutesPerDay)
    let path = this.#days.get(day)
    if (path === undefined) {
      // Looked at: today, yesterday (backfill) and tomorrow; a few days are enough.
      if (this.#days.size >= 4) this.#days.clear()
      path = this.#model.dayPath(day)
      this.#days.set(day, path)
    }
    return path[minute - day * minutesPerDay]!
  }

  /** Everything that happens in the minute that starts at `startMs`, oldest first: a quote each second, and the trades. */
  minute(startMs: number): Tick[] {
    const { symbol } = this.#definition
    const ticks: Tick[] = []
    this.#visit(startMs, (timeMs, price, bid, ask, quantity, side) =>
      ticks.push({ symbol, timeMs, price, bid, ask, quantity, side, sources }),
    )
    return ticks
  }

  /** The candle of that minute: exactly what its ticks make. */
  candle(startMs: number): Candle {
    let [open, high, low, close, volume, trades] = [0, 0, Number.MAX_SAFE_INTEGER, 0, 0, 0]
    this.#visit(startMs, (_timeMs, price, _bid, _ask, quantity) => {
      if (open === 0) open = price
      if (price > high) high = price
      if (price < low) low = price
      close = price
      if (quantity > 0) trades++
      volume += quantity
    })
    return { startMs, open, high, low, close, volume: BigInt(volume), trades }
  }

  /** Hands out what happens without keeping it: a day of candles is made from millions of ticks. */
  #visit(
    startMs: number,
    take: (timeMs: number, price: number, bid: number, ask: number, quantity: number, side: 'BUY' | 'SELL') => void,
  ): void {
    const { tickUnits, lotUnits } = this.#definition
    const { orderNotionalScale } = this.#parameters
    const minute = Math.floor(startMs / minuteMs)
    const random = new RandomStream(mix(mix(this.#key, 0x0d00), minute))
    const mids = this.#mids(minute, random)
    const trades = this.#tradeTimes(minute, random)
    let next = 0
    let mid = roundToStep(this.#parameters.baseUnits * Math.exp(this.logClose(minute - 1)), tickUnits)
    for (let second = 0; second < secondsPerMinute; second++) {
      const wide = random.uniform() > spread.oneTickShare
      const width = (wide ? Math.ceil(spread.wideTicksMax ** random.uniform()) : 1) * tickUnits
      // A wide spread is a share of the price that a coarse tick would blow up: at most a tenth of a percent.
      const gap = Math.min(width, roundToStep(mid * 0.001, tickUnits))
      for (; next < trades.length && trades[next]! < (second + 1) * 1_000; next++) {
        const buy = random.uniform() < takerBuyShare
        const price = buy ? mid + gap : mid
        const quantity = roundToStep((orderNotionalScale * notionalAt(random.uniform()) * 1e16) / price, lotUnits)
        take(startMs + trades[next]!, price, mid, mid + gap, quantity, buy ? 'BUY' : 'SELL')
      }
      mid = mids[second]!
      take(startMs + second * 1_000 + 999, mid, mid, mid + gap, 0, 'BUY')
    }
  }

  /** Mid prices at the end of each second: a random walk bridged from the last close to this one. */
  #mids(minute: number, random: RandomStream): number[] {
    const from = this.logClose(minute - 1)
    const to = this.logClose(minute)
    const step = this.#model.volatility(minute) / Math.sqrt(secondsPerMinute)
    const walk: number[] = []
    let sum = 0
    for (let second = 0; second < secondsPerMinute; second++) {
      sum += step * random.normal()
      walk.push(sum)
    }
    return walk.map((value, index) => {
      const share = (index + 1) / secondsPerMinute
      return roundToStep(
        this.#parameters.baseUnits * Math.exp(from + value - share * sum + share * (to - from)),
        this.#definition.tickUnits,
      )
    })
  }

  /** Milliseconds within the minute, sorted. */
  #tradeTimes(minute: number, random: RandomStream): number[] {
    const { notionalPerMinute, orderNotionalScale, volumeElasticity, rateNoiseVariance, returns } = this.#parameters
    const deviation =
      volumeElasticity * this.#model.logVolatility(minute) +
      Math.sqrt(rateNoiseVariance) * noiseAt(mix(this.#key, 0x0e00), minute, rateNoisePeriodMinutes)
    const variance = volumeElasticity ** 2 * returns.logVolatilityVariance + rateNoiseVariance
    const mean = (notionalPerMinute / (takerNotional.mean * orderNotionalScale)) * Math.exp(deviation - variance / 2)
    const count = Math.min(random.poisson(mean), tradesPerMinuteMax)
    // Sorted uniform times without sorting: sums of exponential waits, scaled to the minute (Devroye 1986, V.3.1).
    const times: number[] = []
    let sum = 0
    for (let index = 0; index < count; index++) {
      sum -= Math.log(random.uniform())
      times.push(sum)
    }
    sum -= Math.log(random.uniform())
    for (let index = 0; index < count; index++) times[index] = Math.floor((times[index]! / sum) * minuteMs)
    return times
  }
}

/** Notional of a taker order at quantile `p`, quote units: linear in the logarithm between the recorded quantiles. */
export function notionalAt(p: number): number {
  const { steps, quantiles } = takerNotional
  let index = 1
  while (index < steps.length - 1 && p > steps[index]!) index++
  const share = (p - steps[index - 1]!) / (steps[index]! - steps[index - 1]!)
  return quantiles[index - 1]! * (quantiles[index]! / quantiles[index - 1]!) ** share
}

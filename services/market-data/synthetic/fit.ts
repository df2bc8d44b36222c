import { createReadStream } from 'node:fs'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { createGunzip } from 'node:zlib'
import { ReturnModel, volatilityPeriodsMinutes } from './model.ts'
import type { ReturnParameters } from './parameters.ts'
import { mix } from './random.ts'
import { quantile, returnFigures, type ReturnFigures } from './statistics.ts'

/**
 * Fits the synthetic market to recorded files and prints the parameters: `node services/market-data/synthetic/fit.ts FOLDER`, where FOLDER holds
 * `candles/` and `trades/`. The numbers in parameters.ts were printed by it.
 *
 * Return parameters are found by coordinate search: a long synthetic series is made, its figures are compared with those of the file.
 */

export const takerQuantileSteps = [0, 0.01, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 0.999, 1] as const

async function rows(file: string): Promise<string[][]> {
  const result: string[][] = []
  let header = true
  for await (const line of createInterface({ input: createReadStream(file).pipe(createGunzip()), crlfDelay: Infinity })) {
    if (!header && line !== '') result.push(line.split(','))
    header = false
  }
  return result
}

export interface CandleFileFigures {
  returns: ReturnFigures
  lastClose: number
  /** Mean of volume × close, quote units a minute. */
  notionalPerMinute: number
  /** Standard deviation of log volume over minutes with volume. */
  logVolumeStd: number
  /** Slope of log volume on log volatility, both averaged over 15 minutes. */
  volumeElasticity: number
}

/** Figures of a file of 1-minute candles; returns across a gap are left out. */
export async function candleFileFigures(file: string): Promise<CandleFileFigures> {
  const candles = (await rows(file)).map((row) => row.map(Number))
  const returns: number[] = []
  const logVolumes: number[] = []
  let notional = 0
  for (const [index, [start, , , , close, volume]] of candles.entries()) {
    const before = candles[index - 1]
    if (before && start! - before[0]! === 60_000) returns.push(Math.log(close! / before[4]!))
    if (volume! > 0) logVolumes.push(Math.log(volume!))
    notional += volume! * close!
  }
  const mean = logVolumes.reduce((sum, value) => sum + value, 0) / logVolumes.length
  const variance = logVolumes.reduce((sum, value) => sum + (value - mean) ** 2, 0) / logVolumes.length
  const points: [number, number][] = []
  for (let from = 1; from + 15 <= candles.length; from += 15) {
    let absolute = 0
    let volume = 0
    for (let index = from; index < from + 15; index++) {
      absolute += Math.abs(Math.log(candles[index]![4]! / candles[index - 1]![4]!))
      volume += candles[index]![5]!
    }
    if (absolute > 0 && volume > 0) points.push([Math.log(absolute), Math.log(volume)])
  }
  return {
    returns: returnFigures(returns),
    lastClose: candles.at(-1)![4]!,
    notionalPerMinute: notional / candles.length,
    logVolumeStd: Math.sqrt(variance),
    volumeElasticity: slope(points),
  }
}

function slope(points: readonly [number, number][]): number {
  const meanX = points.reduce((sum, [x]) => sum + x, 0) / points.length
  const meanY = points.reduce((sum, [, y]) => sum + y, 0) / points.length
  let xy = 0
  let xx = 0
  for (const [x, y] of points) {
    xy += (x - meanX) * (y - meanY)
    xx += (x - meanX) ** 2
  }
  return xy / xx
}

export interface TradeFileFigures {
  /** Taker orders a second: trades of one millisecond and side are one order. */
  ordersPerSecond: number
  /** Notional of a taker order at `takerQuantileSteps`, quote units. */
  notionalQuantiles: number[]
  notionalMean: number
  buyShare: number
}

export async function tradeFileFigures(file: string): Promise<TradeFileFigures> {
  const orders = new Map<string, number>()
  let first = 0
  let last = 0
  for (const [time, , , , price, quantity, side] of await rows(file)) {
    if (first === 0) first = Number(time)
    last = Number(time)
    const key = `${time} ${side}`
    orders.set(key, (orders.get(key) ?? 0) + Number(price) * Number(quantity))
  }
  const sorted = [...orders.values()].sort((a, b) => a - b)
  const buys = [...orders.keys()].filter((key) => key.endsWith('BUY')).length
  return {
    ordersPerSecond: orders.size / ((last - first) / 1_000),
    notionalQuantiles: takerQuantileSteps.map((p) => quantile(sorted, p)),
    notionalMean: sorted.reduce((sum, value) => sum + value, 0) / sorted.length,
    buyShare: buys / orders.size,
  }
}

const simulatedMinutes = 120_000

/** Raw returns of the model over `minutes`. */
export function simulatedReturns(parameters: ReturnParameters, key: number, minutes = simulatedMinutes): Float64Array {
  const model = new ReturnModel(key, parameters)
  return Float64Array.from({ length: minutes }, (_, minute) => model.rawReturn(28_000_000 + minute))
}

function distance(ours: ReturnFigures, theirs: ReturnFigures): number {
  const relative = (a: number, b: number) => Math.log(a / b) ** 2
  let sum =
    4 * relative(ours.medianRatio, theirs.medianRatio) +
    2 * relative(ours.tail99, theirs.tail99) +
    2 * relative(ours.tail999, theirs.tail999)
  for (const [index, value] of ours.absoluteAutocorrelation.entries()) sum += 12 * (value - theirs.absoluteAutocorrelation[index]!) ** 2
  return sum
}

/** The parameters whose figures come nearest to `target`, by coordinate search with shrinking steps. */
export function fitReturns(target: ReturnFigures, key: number): ReturnParameters {
  const unit = 1 / volatilityPeriodsMinutes.length
  let point = [Math.log(0.5), Math.log(3), ...volatilityPeriodsMinutes.map(() => Math.log(unit))]
  const parametersAt = (at: readonly number[]): ReturnParameters => {
    const weights = at.slice(2).map(Math.exp)
    const total = weights.reduce((sum, weight) => sum + weight, 0)
    return {
      sigma: target.std,
      logVolatilityVariance: Math.exp(at[0]!),
      tailDegrees: 2.5 + Math.exp(at[1]!),
      volatilityWeights: weights.map((weight) => weight / total),
    }
  }
  const cost = (at: readonly number[]) => distance(returnFigures(simulatedReturns(parametersAt(at), key)), target)
  let best = cost(point)
  for (let step = 0.6; step > 0.04;) {
    let improved = false
    for (let index = 0; index < point.length; index++) {
      for (const direction of [step, -step]) {
        const moved = point.with(index, point[index]! + direction)
        const value = cost(moved)
        if (value < best) {
          best = value
          point = moved
          improved = true
          break
        }
      }
    }
    if (!improved) step /= 2
  }
  return parametersAt(point)
}

if (import.meta.main) {
  const folder = process.argv[2]
  if (folder === undefined) throw new Error('say the folder that holds candles/ and trades/')
  const trades = await tradeFileFigures(path.join(folder, 'trades', 'BTCUSDT-trades.csv.gz'))
  process.stdout.write(`trades ${JSON.stringify(trades, undefined, 1)}\n`)
  for (const [index, name] of ['BTC', 'ETH', 'ADA', 'DOT'].entries()) {
    const figures = await candleFileFigures(path.join(folder, 'candles', `${name}USDT-1m.csv.gz`))
    const parameters = fitReturns(figures.returns, mix(1, index))
    const simulated = returnFigures(simulatedReturns(parameters, mix(2, index)))
    process.stdout.write(`${name} ${JSON.stringify({ figures, parameters, simulated }, undefined, 1)}\n`)
  }
}

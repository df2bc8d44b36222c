import type pg from 'pg'
import type { Performance, SymbolPerformance } from '@maru/contracts/http/analytics'
import {
  cumulativeReturn,
  curveTimes,
  formatFixed,
  maxDrawdown,
  profitOf,
  sharpeRatio,
  timeWeightedReturns,
  totalProfit,
  winRate,
  type EquitySample,
  type Entry,
  type FillSums,
  type Fixed,
  type Holding,
  type Profit,
} from '@maru/domain/statistics'
import { fillSumsBetween, flowsBetween, holdingsAt, quoteAsset } from '../store/history.ts'
import { sampleEquity } from './equity.ts'
import { intervalMs, resolveInterval, type Period } from './period.ts'

type Client = Pick<pg.ClientBase, 'query'>
type Flows = readonly { at: number; value: Fixed }[]

const daysPerYear = 365
/** Moments of deposits that get a point of their own; later ones count at the end of their interval. */
const flowPointsMax = 400

const nothing: { holding: Holding; entry: Entry } = { holding: { quantity: 0n, markPrice: 0n }, entry: { quantity: 0n, averagePrice: 0n } }
const noFills: FillSums = { trades: 0, closing: 0, winning: 0, volume: 0n, cash: 0n, fees: 0n, grossRealized: 0n }

/** Profit by symbol and in all over a period that is not empty. */
export async function performanceOf(client: Client, userId: string, period: Period): Promise<Omit<Performance, 'as_of'>> {
  const { from, to } = period
  const fills = await fillSumsBetween(client, userId, from, to)
  const starts = await holdingsAt(client, userId, from)
  const ends = await holdingsAt(client, userId, to)
  const flows = await flowsBetween(client, userId, from, to)
  const curve = await sampleEquity(client, userId, withMoments(curveTimes(from, to, intervalMs[resolveInterval(undefined, period)]), flows))
  const days = await sampleEquity(client, userId, withMoments(curveTimes(from, to, intervalMs['1d']), flows))

  const symbols: { symbol: string; profit: Profit; quantity: Fixed }[] = []
  for (const symbol of new Set([...fills.keys(), ...starts.keys(), ...ends.keys()])) {
    const end = ends.get(symbol) ?? nothing
    const profit = profitOf({
      fills: fills.get(symbol) ?? noFills,
      start: (starts.get(symbol) ?? nothing).holding,
      end: end.holding,
      moved: sumOf(flows.filter(({ asset }) => `${asset}/${quoteAsset}` === symbol)),
      entry: end.entry,
    })
    symbols.push({ symbol, profit, quantity: end.entry.quantity })
  }
  symbols.sort((left, right) => compare(right.profit.total, left.profit.total) || left.symbol.localeCompare(right.symbol, 'en'))

  const returns = timeWeightedReturns(curve, flows)
  const hadMoney = curve.some(({ equity }) => equity > 0n)
  return {
    user_id: userId,
    from: new Date(from).toISOString(),
    to: new Date(to).toISOString(),
    currency: 'USDT',
    symbols: symbols.map(({ symbol, profit, quantity }): SymbolPerformance => ({
      symbol,
      quantity: formatFixed(quantity),
      ...figuresOf(profit),
    })),
    total: figuresOf(totalProfit(symbols.map(({ profit }) => profit))),
    start_equity: formatFixed(curve.at(0)?.equity ?? 0n),
    end_equity: formatFixed(curve.at(-1)?.equity ?? 0n),
    net_deposits: formatFixed(sumOf(flows)),
    return: hadMoney ? finite(cumulativeReturn(returns)) : null,
    max_drawdown: hadMoney ? finite(maxDrawdown(returns)) : null,
    sharpe_ratio: finite(sharpeRatio(dailyReturns(days, flows), 0, daysPerYear)),
  }
}

function figuresOf(profit: Profit): Performance['total'] {
  return {
    total_pnl: formatFixed(profit.total),
    realized_pnl: formatFixed(profit.realized),
    unrealized_pnl: formatFixed(profit.unrealized),
    fees: formatFixed(profit.fees),
    volume: formatFixed(profit.volume),
    trades: profit.trades,
    win_rate: winRate(profit) ?? null,
  }
}

/** The times with the moments of the flows among them: a deposit between two points would look like profit or hide some. */
function withMoments(times: readonly number[], flows: Flows): number[] {
  const moments = flows.slice(0, flowPointsMax).map(({ at }) => at)
  return [...new Set([...times, ...moments])].sort((left, right) => left - right)
}

/** Time-weighted returns of whole UTC days, joined from the steps within each. */
function dailyReturns(samples: readonly EquitySample[], flows: Flows): number[] {
  const byDay = new Map<number, number>()
  const dayMs = intervalMs['1d']
  for (const [index, change] of timeWeightedReturns(samples, flows).entries()) {
    const started = samples[index]
    if (started === undefined) continue
    const day = Math.floor(started.at / dayMs)
    byDay.set(day, (byDay.get(day) ?? 1) * (1 + change))
  }
  return [...byDay.values()].map((growth) => growth - 1)
}

function sumOf(flows: Flows): Fixed {
  return flows.reduce((sum, flow) => sum + flow.value, 0n)
}

function finite(value: number): number | null {
  return Number.isFinite(value) ? value : null
}

function compare(left: bigint, right: bigint): number {
  return left < right ? -1 : left > right ? 1 : 0
}

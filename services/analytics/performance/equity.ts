import type pg from 'pg'
import type { EquityInterval, EquityPoint } from '@maru/contracts/http/analytics'
import { curveTimes, equityCurve, formatFixed, type EquitySample } from '@maru/domain/statistics'
import { balancesAt, marksAt, quoteAsset } from '../store/history.ts'
import { intervalMs, type Period } from './period.ts'

type Client = Pick<pg.ClientBase, 'query'>

/** Equity of the account at each of `times`, ascending. */
export async function sampleEquity(client: Client, userId: string, times: readonly number[]): Promise<EquitySample[]> {
  if (times.length === 0) return []
  const [balances, marks] = await Promise.all([balancesAt(client, userId, times), marksAt(client, userId, times)])
  return equityCurve({ times, quoteAsset, balances, marks })
}

/** The equity curve over a period, as answered. */
export async function equityPoints(client: Client, userId: string, { from, to }: Period, interval: EquityInterval): Promise<EquityPoint[]> {
  const samples = await sampleEquity(client, userId, curveTimes(from, to, intervalMs[interval]))
  return samples.map(({ at, equity, cash, positionsValue }) => ({
    time: new Date(at).toISOString(),
    equity: formatFixed(equity),
    cash: formatFixed(cash),
    positions_value: formatFixed(positionsValue),
  }))
}

import { exposeCounter, exposeGauge, exposeHistogram, type LogFigures, type MetricsRegistry } from '@maru/service-host'
import type { Intake } from '../intake/intake.ts'
import type { Replica } from '../replica/replica.ts'
import { batchBounds, secondBounds, type OrderMeter } from './order-meter.ts'

/** What the publishing thread tells of itself, about once a second. */
export interface PublisherFigures {
  log: LogFigures
  /** Number of the last command whose events are in the log, and when the newest snapshot was stored; 0 before the first. */
  published: number
  snapshotStoredMs: number
}

interface Measured {
  replica: Replica
  intake: Intake
  orders: OrderMeter
  isLeading(): boolean
  /** Why no orders are taken, if so. */
  halted(): string | undefined
  publisher(): PublisherFigures | undefined
}

/** Shows what the trading service measures; docs/monitoring.md explains each. */
export function exposeTrading(metrics: MetricsRegistry, { replica, intake, orders, ...state }: Measured): void {
  const { exchange } = replica
  exposeCounter(metrics, { name: 'maru_trading_commands_total', help: 'Commands taken by this instance and applied.' }, [], () => [
    [{}, orders.commands],
  ])
  exposeCounter(
    metrics,
    { name: 'maru_trading_orders_total', help: 'Orders by what became of them, counted by the instance whose command brought it about.' },
    ['outcome'],
    () => [...orders.orders.entries()].map(([outcome, count]) => [{ outcome }, count] as const),
  )
  exposeCounter(metrics, { name: 'maru_trading_trades_total', help: 'Trades, each with its two fills.' }, [], () => [[{}, orders.trades]])
  exposeCounter(metrics, { name: 'maru_trading_liquidations_total', help: 'Accounts that fell below maintenance margin.' }, [], () => [
    [{}, orders.liquidations],
  ])
  exposeCounter(metrics, { name: 'maru_trading_refusals_total', help: 'Commands refused, by the code of docs/errors.md.' }, ['code'], () =>
    [...orders.refusals.entries()].map(([code, count]) => [{ code }, count] as const),
  )
  exposeHistogram(
    metrics,
    { name: 'maru_trading_batch_size_commands', help: 'Commands that share one record of the log.' },
    [],
    batchBounds,
    () => [[{}, orders.batches]],
  )
  exposeHistogram(
    metrics,
    { name: 'maru_trading_batch_duration_seconds', help: 'From the making of a record until it is durable and applied.' },
    [],
    secondBounds,
    () => [[{}, orders.seconds]],
  )
  exposeGauge(metrics, { name: 'maru_trading_intake_waiting', help: 'Commands that wait for a place in a record.' }, [], () => [
    [{}, intake.waiting],
  ])
  exposeCounter(
    metrics,
    { name: 'maru_trading_applied_commands_total', help: 'Number of the last command of the log that this replica has applied.' },
    [],
    () => [[{}, exchange.commandCount]],
  )
  exposeGauge(
    metrics,
    { name: 'maru_trading_replica_position', help: 'Offset in trading.commands that this replica has applied.' },
    [],
    () => [[{}, replica.offset]],
  )
  exposeGauge(metrics, { name: 'maru_trading_accounts', help: 'Accounts of the exchange.' }, [], () => [[{}, exchange.accountCount]])
  exposeGauge(metrics, { name: 'maru_trading_leading', help: '1 where this instance publishes and quotes; one instance does.' }, [], () => [
    [{}, state.isLeading() ? 1 : 0],
  ])
  exposeGauge(
    metrics,
    { name: 'maru_trading_halted', help: '1 where this instance takes no orders, as its state differs from that of others.' },
    [],
    () => [[{}, state.halted() === undefined ? 0 : 1]],
  )
  exposeGauge(metrics, { name: 'maru_trading_kill_switch', help: '1 while the kill switch of the whole exchange is on.' }, [], () => [
    [{}, exchange.isKilled ? 1 : 0],
  ])
  exposeGauge(
    metrics,
    {
      name: 'maru_trading_publisher_lag_commands',
      help: 'Commands applied whose events are not in the log yet; shown by the instance that leads.',
    },
    [],
    () => {
      const figures = state.publisher()
      if (!figures || !state.isLeading() || figures.published === 0) return []
      return [[{}, Math.max(0, exchange.commandCount - figures.published)]]
    },
  )
  exposeGauge(
    metrics,
    { name: 'maru_trading_snapshot_timestamp_seconds', help: 'When this instance last stored a snapshot; it does where it leads.' },
    [],
    () => {
      const storedMs = state.publisher()?.snapshotStoredMs ?? 0
      return storedMs === 0 ? [] : [[{}, storedMs / 1_000]]
    },
  )
}

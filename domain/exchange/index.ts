export { SnapshotError } from './bytes.ts'
export { Exchange } from './exchange.ts'
export { foresightMax } from './foresight.ts'
export { openOrdersMax } from './restrictions.ts'
export { EventKind, OrderStatus } from './outcome.ts'
export type { Outcome } from './outcome-writer.ts'
export { quoteLevelsMax } from './quotes.ts'
export { refusals } from './refusals.ts'
export { newestRules } from './rules.ts'
export type {
  AssetView,
  BookLevel,
  LimitsView,
  MarketView,
  OrderDetailsView,
  OrderView,
  PositionView,
  Reconciliation,
  RiskView,
} from './views.ts'

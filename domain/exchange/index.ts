export { SnapshotError } from './bytes.ts'
export { Exchange } from './exchange.ts'
export { feeMaxPpm } from './fees.ts'
export type { ForgottenIds } from './forgotten-ids.ts'
export { foresightMax } from './foresight.ts'
export { marketRulesMax } from './market-phases.ts'
export { openOrdersMax } from './restrictions.ts'
export { EventKind, OrderStatus } from './outcome.ts'
export type { Outcome } from './outcome-writer.ts'
export { quoteLevelsMax } from './quotes.ts'
export { Refusal, refusals } from './refusals.ts'
export { newestRules } from './rules.ts'
export { hashInSnapshot } from './snapshot.ts'
export { isSliceDue, sliceHashVersion } from './slice-hash.ts'
export type { SliceHash } from './slice-hash.ts'
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

export { curveLength, curveTimes, equityCurve, sample, type EquitySample, type Steps } from './equity.ts'
export { formatFixed, multiply, parseFixed, toFloat, type Fixed } from './fixed.ts'
export {
  isClosing,
  moveIntoPosition,
  profitOf,
  totalProfit,
  unrealizedProfit,
  winRate,
  type Entry,
  type FillSums,
  type Holding,
  type Profit,
} from './profit.ts'
export { annualReturn, annualVolatility, cumulativeReturn, maxDrawdown, sharpeRatio, timeWeightedReturns } from './returns.ts'

export { amountMax, invariant, mulDiv, type Rounding } from './arithmetic.ts'
export { formatRatio, formatUnits, parseDecimal, type DecimalFault } from './decimal.ts'

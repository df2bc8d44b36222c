import { CommandKind, MarketStatus, OrderType, SelfTrade, Side, TimeInForce, TrailingUnit, TriggerPrice } from '@maru/contracts/commands'
import { amountMax } from '../money/index.ts'
import { cancelOpen } from './cancels.ts'
import { conclude } from './conclusion.ts'
import type { Core } from './core.ts'
import { meets } from './execution.ts'
import { feeOf, notionalMax } from './fees.ts'
import { isBelowMaintenance, maintenanceOf, notionalOf, owes } from './margin.ts'
import type { Market } from './markets.ts'
import { oppositeOf } from './matching.ts'
import { none } from './no-slot.ts'
import { EventKind } from './outcome.ts'
import { accept, record } from './placement.ts'
import { marketKey } from './price-bands.ts'
import { equityOf, inRiskAsset } from './valuation.ts'

/** Accounts that owe which one mark looks at; the next mark goes on with those after them. */
const examinedMax = 200
/** Accounts which one mark liquidates. */
const liquidatedMax = 10
/** Half a per cent of what the venue had to trade for an account. */
const feePpm = 5_000

const extras = {
  isPostOnly: false,
  isReduceOnly: false,
  // Accounts of one group must not stand in the way of each other's liquidation.
  selfTrade: SelfTrade.allow,
  trigger: TriggerPrice.lastOrMark,
  displayQuantity: 0,
  expiresAtMs: 0,
  trailingOffset: 0,
  trailingUnit: TrailingUnit.ticks,
  quoteQuantity: 0,
}

/**
 * Looks at accounts that owe, in the order of their numbers from where the mark before ended, and liquidates those below their maintenance margin. So with few
 * borrowers each mark looks at all of them, and with many each in its turn.
 */
export function watchMargins(core: Core): void {
  const { borrowers } = core
  const start = core.lastExamined
  let isWrapped = false
  let liquidated = 0
  let examined = 0
  for (let at = start; examined < examinedMax && liquidated < liquidatedMax;) {
    const account = borrowers.after(at)
    if (account === none && isWrapped) return
    if (account === none) {
      isWrapped = true
      at = none
      continue
    }
    if (isWrapped && account > start) return
    at = account
    const isLiquidating = core.accounts.controls(account).liquidating !== 0
    if (!isLiquidating && !owes(core, account)) {
      borrowers.forget(account)
      continue
    }
    examined += 1
    core.lastExamined = account
    if (isBelowMaintenance(core, account)) {
      liquidated += 1
      liquidate(core, account)
    } else if (isLiquidating) core.accounts.changeControls(account, { liquidating: 0 })
  }
}

/**
 * Cancels all an account has open, and closes its positions, the largest first, until its equity is what the rest asks for. What cannot be traded now waits for the
 * next mark. Where no position is left and it still owes more than it has, the insurance fund pays.
 */
function liquidate(core: Core, account: number): void {
  if (core.accounts.controls(account).liquidating === 0) {
    core.accounts.changeControls(account, { liquidating: 1 })
    emit(core, EventKind.accountLiquidated, account, [counted(equityOf(core, account)), counted(maintenanceOf(core, account))])
    // What followed an order that was cancelled amid its fills goes as well.
    for (let stage = 0; stage < 2; stage++) {
      cancelOpen(core, account, none)
      // No stop is to look at what came before.
      core.forgetPrices()
      conclude(core, none)
    }
  }
  const tried = new Set<number>()
  for (let position = largest(core, account, tried); position !== none; position = largest(core, account, tried)) {
    tried.add(position)
    close(core, account, position)
    if (!isBelowMaintenance(core, account)) break
  }
  if (isBelowMaintenance(core, account) && isFlat(core, account)) cover(core, account)
  if (!isBelowMaintenance(core, account)) core.accounts.changeControls(account, { liquidating: 0 })
}

/** The largest position that is still to be tried and can be traded now; -1 where there is none. */
function largest(core: Core, account: number, tried: ReadonlySet<number>): number {
  const { positions } = core
  let found = none
  let most = none
  for (let position = core.accounts.firstPosition(account); position !== none; position = positions.nextOfAccount(position)) {
    const quantity = positions.quantity(position)
    if (quantity === 0 || tried.has(position)) continue
    const market = core.markets[positions.symbol(position)]!
    const side = closingSide(quantity)
    if (market.status !== MarketStatus.open || market.isStopped || !meets(oppositeOf(market, side), marketKey(market, side))) continue
    const notional = notionalOf(core, position)
    // Of two alike the one in the earlier market: which of them is found first depends on how the records came about.
    if (notional < most || (notional === most && positions.symbol(position) > positions.symbol(found))) continue
    found = position
    most = notional
  }
  return found
}

function closingSide(quantity: number): Side {
  return quantity > 0 ? Side.sell : Side.buy
}

/** Trades as much of a position as a market order may, and takes the venue's fee for it. */
function close(core: Core, account: number, position: number): void {
  const { positions, orders } = core
  const quantity = positions.quantity(position)
  const symbol = positions.symbol(position)
  const market = core.markets[symbol]!
  const countable = Math.floor(notionalMax / (Math.max(market.referencePrice, 1) * market.notionalFactor))
  const lots = Math.min(Math.abs(quantity), market.terms.quantityMaxLots, Math.max(countable, 1))
  core.forgetPrices()
  const slot = record(
    core,
    market,
    position,
    {
      kind: CommandKind.placeOrder,
      time: core.timeMs,
      account,
      symbol,
      side: closingSide(quantity),
      orderType: OrderType.market,
      timeInForce: TimeInForce.ioc,
      quantity: lots,
      price: 0,
      stopPrice: 0,
      clientOrderId: '',
      extras,
    },
    0,
  )
  const order = core.lastOrder
  accept(core, market, slot, account)
  takeFee(core, market, position, order, orders.filledNotional(slot))
  conclude(core, symbol)
}

/** A liquidation fee is never more than what is left. */
function takeFee(core: Core, market: Market, position: number, order: number, notional: number): void {
  const account = core.positions.account(position)
  const left = equityOf(core, account)
  const full = feeOf(notional, feePpm)
  const fee = inRiskAsset(core, market.quote, full) <= left ? full : market.quote === core.markets[0]!.quote ? Math.max(left, 0) : 0
  const balance = core.positions.quoteBalance(position)
  if (fee === 0 || core.balances.total(balance) - fee < -amountMax) return
  core.balances.add(balance, -fee)
  core.assets[market.quote]!.insurance.add(fee)
  core.positions.addFees(position, fee)
  core.accounts.addDayRealized(account, core.day, -inRiskAsset(core, market.quote, fee))
  if (core.balances.total(balance) < 0) core.borrowers.note(account)
  emit(core, EventKind.liquidationFeePaid, account, [market.quote, fee, order])
}

function isFlat(core: Core, account: number): boolean {
  const { positions } = core
  for (let position = core.accounts.firstPosition(account); position !== none; position = positions.nextOfAccount(position)) {
    if (positions.quantity(position) !== 0) return false
  }
  return true
}

/** The insurance fund pays what an account owes, in whatever asset. The fund may come to owe itself: then the venue does. */
function cover(core: Core, account: number): void {
  const { balances } = core
  for (let asset = 0; asset < core.assets.length; asset++) {
    const balance = balances.find(account, asset)
    const owed = balance === none ? 0 : -balances.total(balance)
    if (owed <= 0) continue
    balances.add(balance, owed)
    core.assets[asset]!.insurancePaid.add(owed)
    emit(core, EventKind.insurancePaid, account, [asset, owed])
  }
}

function emit(core: Core, kind: EventKind, account: number, fields: readonly number[]): void {
  const at = core.outcome.begin(kind, fields.length + 2)
  core.outcome.data.set([account, core.accounts.nextSequence(account), ...fields], at)
}

/** Sums beyond 2^53 are shown as that. */
function counted(units: number): number {
  return Math.max(-amountMax, Math.min(amountMax, units))
}

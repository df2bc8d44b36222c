import type { AccountControls } from './account-controls.ts'
import { noControls } from './account-controls.ts'
import type { ByteReader, ByteWriter } from './bytes.ts'
import type { Core } from './core.ts'
import { awaitDeadMan } from './dead-man.ts'
import { allRates, type FeeRates } from './fee-tiers.ts'
import { hasSweepLeft, sweepLater } from './kill-switch.ts'
import { defaultMarketRules, type MarketRules } from './price-bands.ts'
import { TimerKind } from './timers.ts'

const controlFigures = Object.keys(noControls) as (keyof AccountControls)[]
const ruleFigures = Object.keys(defaultMarketRules) as (keyof MarketRules)[]

/** Writes what operators and timers have set: of the venue and its markets, and of those accounts that have something. */
export function writeControls(core: Core, out: ByteWriter): void {
  writeVenueControls(core, out)
  const { accounts } = core
  const controlled = accounts.controlled()
  out.i32(controlled.length)
  for (const account of controlled) {
    out.i32(account)
    for (const figure of controlFigures) out.f64(accounts.controls(account)[figure])
  }
}

/** The part that does not grow with accounts. */
export function writeVenueControls(core: Core, out: ByteWriter): void {
  out.i32(core.isKilled ? 1 : 0)
  out.i32(core.lastExamined)
  const fees = allRates(core)
  out.i32(fees.length)
  for (const { tier, symbol, rates } of fees) for (const figure of [tier, symbol, rates.makerFeePpm, rates.takerFeePpm]) out.i32(figure)
  for (const { insurancePaid } of core.assets) {
    out.f64(insurancePaid.high)
    out.f64(insurancePaid.low)
  }
  for (const { rules, isKilled, phaseEndsMs, watched } of core.markets) {
    for (const figure of ruleFigures) out.f64(rules[figure])
    out.i32(isKilled ? 1 : 0)
    for (const figure of [phaseEndsMs, watched.sinceMs, watched.price, watched.lastPrice]) out.f64(figure)
  }
}

/** Reads it, and sets the timers that follow from it. Orders must be there already. */
export function readControls(core: Core, from: ByteReader): void {
  core.isKilled = from.i32() === 1
  core.lastExamined = from.i32()
  for (let left = from.i32(); left > 0; left--) {
    const [tier, symbol] = [from.i32(), from.i32()]
    const rates = core.feeTiers.get(tier) ?? new Map<number, FeeRates>()
    core.feeTiers.set(tier, rates.set(symbol, { makerFeePpm: from.i32(), takerFeePpm: from.i32() }))
  }
  for (const { insurancePaid } of core.assets) {
    insurancePaid.high = from.f64()
    insurancePaid.low = from.f64()
  }
  for (const market of core.markets) {
    const rules = { ...defaultMarketRules }
    for (const figure of ruleFigures) rules[figure] = from.f64()
    market.setRules(rules)
    market.isKilled = from.i32() === 1
    market.setStopped(core.isKilled || market.isKilled)
    market.setStatus(market.status, from.f64())
    if (market.phaseEndsMs !== 0) core.timers.add({ dueMs: market.phaseEndsMs, kind: TimerKind.market, subject: market.symbol })
    market.watched.sinceMs = from.f64()
    market.watched.price = from.f64()
    market.watched.lastPrice = from.f64()
  }
  for (let left = from.i32(); left > 0; left--) {
    const account = from.i32()
    const controls = { ...noControls }
    for (const figure of controlFigures) controls[figure] = from.f64()
    core.accounts.setControls(account, controls)
    if (controls.liquidating !== 0) core.borrowers.note(account)
    if (controls.deadManMs !== 0) awaitDeadMan(core, account, controls.deadManMs)
  }
  if (hasSweepLeft(core)) sweepLater(core)
}

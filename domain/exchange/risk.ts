import { AccountMode, Side } from '@maru/contracts/commands'
import * as accounts from './accounts.ts'
import type { Core } from './core.ts'
import type { Market } from './markets.ts'
import { none as noSlot } from './no-slot.ts'
import { Refusal } from './refusals.ts'
import * as restrictions from './restrictions.ts'
import { reducingRefusal } from './restrictions.ts'
import { equityOf, inRiskAsset } from './valuation.ts'

/** Constants of this module are folded into the machine code; imported ones are looked up at each use. */
const { unset } = accounts
const { isRestricted } = restrictions
const { margin } = AccountMode
const { buy, sell } = Side
const none: number = noSlot

/** Limits of an account that was given none: the leverage is 10 ×. */
export const leverageMaxDefaultHundredths = 1_000
/** In whole units of the quote asset. */
export const positionMaxDefault = 1_000_000
export const dailyLossMaxDefault = 100_000

/** The position limit that holds for a position: its market's, else the account's, else the venue's. Quote minor units. */
export function positionNotionalMaxOf(core: Core, market: Market, position: number): number {
  const ofSymbol = core.positions.notionalMax(position)
  if (ofSymbol !== unset) return ofSymbol
  const ofAccount = core.accounts.positionNotionalMax(core.positions.account(position))
  return ofAccount === unset ? market.positionNotionalMax : ofAccount
}

export function leverageMaxOf(core: Core, account: number): number {
  const given = core.accounts.leverageMaxHundredths(account)
  return given === unset ? leverageMaxDefaultHundredths : given
}

export function dailyLossMaxOf(core: Core, account: number): number {
  const given = core.accounts.dailyLossMax(account)
  return given === unset ? core.dailyLossMax : given
}

/**
 * The three founding limits, against the worst case with every open order of the same direction filled, so that no two orders can pass a
 * limit together. Orders that only reduce a position pass all three.
 *
 * @param lots of this order, beyond what is open already
 * @param price the worst it may trade at, ticks; counted where it is above the mark
 * @param isCovered the account can pay for it. A cash account that can pay is never beyond 1 ×, so its leverage need not be added up.
 * @returns 0, `position_limit`, `leverage_limit` or `daily_loss_limit`, the first that is passed
 */
export function riskRefusal(
  core: Core,
  market: Market,
  position: number,
  side: Side,
  lots: number,
  price: number,
  isCovered: boolean,
): number {
  const { positions, accounts } = core
  const quantity = positions.quantity(position)
  const added = positions.open(position, side) + lots
  const worst = side === buy ? quantity + added : quantity - added
  const isReducing = side === buy ? quantity < 0 && worst <= 0 : quantity > 0 && worst >= 0
  if (isReducing) return 0
  const account = positions.account(position)
  if (isRestricted(core, account)) {
    const refusal = reducingRefusal(core, account)
    if (refusal !== 0) return refusal
  }
  const reference = market.referencePrice
  const countedPrice = price > reference ? price : reference
  if (Math.abs(worst) * countedPrice * market.notionalFactor > positionNotionalMaxOf(core, market, position)) return Refusal.position_limit
  const leverageMax = leverageMaxOf(core, account)
  const mayBorrow = accounts.mode(account) === margin
  if ((mayBorrow || leverageMax < 100 || !isCovered) && isOverLeverage(core, market, position, side, lots, countedPrice, leverageMax)) {
    return Refusal.leverage_limit
  }
  if (-accounts.dayRealized(account, core.day) >= dailyLossMaxOf(core, account)) return Refusal.daily_loss_limit
  return 0
}

/** Exposure over equity beyond a limit in hundredths. Sums past 2^53 round to the nearest double, alike on every replica. */
function isOverLeverage(
  core: Core,
  market: Market,
  position: number,
  side: Side,
  lots: number,
  price: number,
  maxHundredths: number,
): boolean {
  const account = core.positions.account(position)
  const equity = equityOf(core, account)
  if (equity <= 0) return true
  const here = worstLots(core, position, side, lots) * price * market.notionalFactor
  const exposure = exposureOf(core, account, position) + inRiskAsset(core, market.quote, here)
  return exposure * 100 > maxHundredths * equity
}

/** Gross exposure of an account at marks with its open orders filled, in the risk asset; without the position `except`. */
export function exposureOf(core: Core, account: number, except: number = none): number {
  const { positions } = core
  let exposure = 0
  for (let position = core.accounts.firstPosition(account); position !== none; position = positions.nextOfAccount(position)) {
    if (position === except) continue
    const market = core.markets[positions.symbol(position)]!
    const notional = worstLots(core, position, buy, 0) * market.referencePrice * market.notionalFactor
    exposure += inRiskAsset(core, market.quote, notional)
  }
  return exposure
}

/** The larger of long and short if all open orders of that direction were filled, `lots` more of `side` among them. */
function worstLots(core: Core, position: number, side: Side, lots: number): number {
  const { positions } = core
  const quantity = positions.quantity(position)
  const long = quantity + positions.openBuy(position) + (side === buy ? lots : 0)
  const short = quantity - positions.openSell(position) - (side === sell ? lots : 0)
  return Math.max(Math.abs(long), Math.abs(short))
}

import { Side, type BookFill, type MoveFunds, type OpenAccount } from '@maru/contracts/commands'
import { amountMax } from '../money/index.ts'
import { accountsMax } from './accounts.ts'
import { collateralRefusal } from './margin.ts'
import type { Core } from './core.ts'
import type { Market } from './markets.ts'
import { holdRefusal, priceRefusal } from './order-checks.ts'
import { none } from './no-slot.ts'
import { EventKind } from './outcome.ts'
import { Refusal } from './refusals.ts'
import { riskRefusal } from './risk.ts'
import { settle } from './settlement.ts'

const userIdMax = 64
const referenceMax = 128
const grantsMax = 64
/** First term of a remembered reference: what it was used for. */
export const ReferenceUse = { funds: 1, fill: 2, transfer: 3, insurance: 4 } as const

/** Opens the account of a user and deposits its grants; a second time it changes nothing. */
export function openAccount(core: Core, command: OpenAccount): void {
  const { accounts } = core
  const { userId, grants } = command
  if (
    typeof userId !== 'string' ||
    userId.length === 0 ||
    userId.length > userIdMax ||
    !Array.isArray(grants) ||
    grants.length > grantsMax
  ) {
    core.emitRefused(Refusal.invalid_request)
    return
  }
  if (accounts.find(userId) !== none) {
    core.emitRepeated()
    return
  }
  const refusal = accounts.count >= accountsMax ? Refusal.overloaded : grantsRefusal(core, grants)
  if (refusal !== 0) {
    core.emitRefused(refusal)
    return
  }
  const account = accounts.open(userId)
  const at = core.outcome.begin(EventKind.accountOpened, 2)
  core.outcome.data[at] = account
  core.outcome.data[at + 1] = accounts.nextSequence(account)
  for (const grant of grants) move(core, account, grant.asset, grant.amount, true)
}

function grantsRefusal(core: Core, grants: OpenAccount['grants']): number {
  let sum = 0
  for (const { asset, amount } of grants) {
    if (!core.assets[asset]) return Refusal.asset_not_found
    if (!Number.isSafeInteger(amount) || amount <= 0) return Refusal.invalid_amount
    // The sum over all grants, whatever their assets, is more than each asset needs, and far below what it is held against.
    sum += amount
    const refusal = sum > amountMax ? Refusal.amount_too_large : enteringRefusal(core, none, asset, sum)
    if (refusal !== 0) return refusal
  }
  return 0
}

/** A deposit or a withdrawal. A reference of the account that was used for the same movement changes nothing. */
export function moveFunds(core: Core, command: MoveFunds): void {
  const { account, asset, amount, reference } = command
  const refusal = movementRefusal(core, command)
  if (refusal === none) core.emitRepeated()
  else if (refusal !== 0) core.emitRefused(refusal)
  else {
    core.references.addMissing(account, reference, 0, 0, ReferenceUse.funds, asset, amount, 0)
    move(core, account, asset, amount, false)
  }
}

/** 0, a refusal, or -1 for a repeat. */
function movementRefusal(core: Core, { account, asset, amount, reference }: MoveFunds): number {
  const { accounts, balances } = core
  if (!isReference(reference)) return Refusal.invalid_request
  if (!accounts.has(account)) return Refusal.account_not_found
  if (!core.assets[asset]) return Refusal.asset_not_found
  const known = core.references.find(account, reference)
  if (known >= 0) return core.references.hasTerms(known, ReferenceUse.funds, asset, amount, 0) ? none : Refusal.reference_reused
  if (!Number.isSafeInteger(amount) || amount === 0) return Refusal.invalid_amount
  const balance = balances.find(account, asset)
  const total = balance === none ? 0 : balances.total(balance)
  if (total + amount > amountMax) return Refusal.amount_too_large
  // A margin account borrows by trading, never by withdrawing: what it takes out must be its own and not held.
  if (amount < 0 && -amount > (balance === none ? 0 : balances.available(balance))) return Refusal.insufficient_funds
  const refusal = amount < 0 ? collateralRefusal(core, account, asset, -amount) : 0
  return refusal || enteringRefusal(core, account, asset, amount)
}

/** Whether a movement of a base asset can be counted in the position it enters or leaves. */
export function enteringRefusal(core: Core, account: number, asset: number, amount: number): number {
  const symbol = core.assets[asset]!.positionSymbol
  if (symbol === none) return 0
  const market = core.markets[symbol]!
  const position = core.positions.find(account, symbol)
  const quantity = position === none ? 0 : core.positions.quantity(position)
  const lots = Math.ceil(Math.abs(amount) / market.lotFactor)
  const isAdding = quantity === 0 || amount > 0 === quantity > 0
  const cost = isAdding && position !== none ? core.positions.openCost(position) : 0
  const entered = lots * market.referencePrice * market.notionalFactor
  return Math.abs(quantity) + lots > amountMax || cost + entered > amountMax ? Refusal.amount_too_large : 0
}

function move(core: Core, account: number, asset: number, amount: number, isGrant: boolean): void {
  const { accounts } = core
  const of = core.assets[asset]!
  if (amount > 0) of.deposits.add(amount)
  else of.withdrawals.add(-amount)
  moveBalance(core, account, asset, amount)
  const at = core.outcome.begin(EventKind.fundsMoved, 5)
  const { data } = core.outcome
  data[at] = account
  data[at + 1] = accounts.nextSequence(account)
  data[at + 2] = asset
  data[at + 3] = amount
  data[at + 4] = isGrant ? 1 : 0
}

/** Brings an amount into a balance, or out of it (below 0), and into the position that it belongs to. Where it comes from is the caller's to say. */
export function moveBalance(core: Core, account: number, asset: number, amount: number): void {
  const { balances } = core
  const balance = balances.of(account, asset)
  const total = balances.total(balance)
  balances.setTotal(balance, total + amount)
  const symbol = core.assets[asset]!.positionSymbol
  if (symbol !== none) moveIntoPosition(core, account, core.markets[symbol]!, total, total + amount)
}

/** A base asset that came in enters the position at the mark; what went out leaves it at the average. Less than a lot stays outside. */
function moveIntoPosition(core: Core, account: number, market: Market, before: number, after: number): void {
  const lots = Math.floor(after / market.lotFactor) - Math.floor(before / market.lotFactor)
  if (lots === 0) return
  core.positions.transfer(core.positionOf(account, market), lots, market.referencePrice * market.notionalFactor, core.timeMs)
}

/** Books a fill made elsewhere: the same limits and funds as for an order; the other side is the world outside. No fee. */
export function bookFill(core: Core, fill: BookFill): void {
  const { account, symbol, side, quantity, price, reference } = fill
  const market = core.market(symbol)
  if (!isReference(reference) || (side !== Side.buy && side !== Side.sell)) core.emitRefused(Refusal.invalid_request)
  else if (!core.accounts.has(account)) core.emitRefused(Refusal.account_not_found)
  else if (!market) core.emitRefused(Refusal.symbol_not_found)
  else {
    const kind = symbol * 2 + side
    const known = core.references.find(account, reference)
    if (known >= 0) {
      if (core.references.hasTerms(known, ReferenceUse.fill, kind, quantity, price)) core.emitRepeated()
      else core.emitRefused(Refusal.reference_reused)
      return
    }
    const position = core.positionOf(account, market)
    const refusal = fillRefusal(core, market, position, fill)
    if (refusal !== 0) {
      core.emitRefused(refusal)
      return
    }
    core.references.addMissing(account, reference, 0, 0, ReferenceUse.fill, kind, quantity, price)
    bookAgainstOutside(core, market, position, fill)
  }
}

function fillRefusal(core: Core, market: Market, position: number, { side, quantity, price }: BookFill): number {
  const { positions, balances } = core
  if (!Number.isSafeInteger(quantity) || quantity <= 0) return Refusal.invalid_quantity
  if (quantity > market.terms.quantityMaxLots) return Refusal.quantity_too_large
  const refusal = priceRefusal(market, price)
  if (refusal !== 0) return refusal
  const notional = price * quantity * market.notionalFactor
  const units = quantity * market.lotFactor
  const base = Math.abs(balances.total(positions.baseBalance(position)))
  const quote = Math.abs(balances.total(positions.quoteBalance(position)))
  if (quote + notional > amountMax || base + units > amountMax || positions.openCost(position) + notional > amountMax)
    return Refusal.amount_too_large
  const unpaid = holdRefusal(core, position, side, side === Side.buy ? notional : units)
  return riskRefusal(core, market, position, side, quantity, price, unpaid === 0) || unpaid
}

function bookAgainstOutside(core: Core, market: Market, position: number, { side, quantity, price }: BookFill): void {
  const account = core.positions.account(position)
  const notional = price * quantity * market.notionalFactor
  const units = quantity * market.lotFactor
  const base = core.assets[market.base]!
  const quote = core.assets[market.quote]!
  const isBuy = side === Side.buy
  const realized = settle(core, market, position, side, quantity, price, 0)
  if (isBuy) {
    base.deposits.add(units)
    quote.withdrawals.add(notional)
  } else {
    base.withdrawals.add(units)
    quote.deposits.add(notional)
  }
  const at = core.outcome.begin(EventKind.fillBooked, 8)
  const { data } = core.outcome
  data[at] = account
  data[at + 1] = core.accounts.nextSequence(account)
  data[at + 2] = market.symbol
  data[at + 3] = side
  data[at + 4] = price
  data[at + 5] = quantity
  data[at + 6] = notional
  data[at + 7] = realized
}

export function isReference(reference: string): boolean {
  return typeof reference === 'string' && reference.length > 0 && reference.length <= referenceMax
}

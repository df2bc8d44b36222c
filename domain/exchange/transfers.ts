import type { MoveInsurance, TransferFunds } from '@maru/contracts/commands'
import { amountMax } from '../money/index.ts'
import type { Core } from './core.ts'
import { enteringRefusal, isReference, moveBalance, ReferenceUse } from './funds.ts'
import { collateralRefusal } from './margin.ts'
import { none } from './no-slot.ts'
import { EventKind } from './outcome.ts'
import { Refusal } from './refusals.ts'

/** Moves funds from one account to another. What is the base of a market leaves and enters their positions there as a withdrawal and a deposit do. */
export function transferFunds(core: Core, command: TransferFunds): void {
  const { from, to, asset, amount, reference } = command
  const refusal = transferRefusal(core, command)
  if (refusal === none) core.emitRepeated()
  else if (refusal !== 0) core.emitRefused(refusal)
  else {
    core.references.addMissing(from, reference, 0, 0, ReferenceUse.transfer, asset, amount, to)
    for (const [account, signed, other] of [
      [from, -amount, to],
      [to, amount, from],
    ] as const) {
      moveBalance(core, account, asset, signed)
      const at = core.outcome.begin(EventKind.fundsTransferred, 5)
      core.outcome.data.set([account, core.accounts.nextSequence(account), asset, signed, other], at)
    }
  }
}

/** 0, a refusal, or -1 for a repeat. */
function transferRefusal(core: Core, { from, to, asset, amount, reference }: TransferFunds): number {
  const { accounts, balances, references } = core
  if (!isReference(reference)) return Refusal.invalid_request
  if (!accounts.has(from) || !accounts.has(to)) return Refusal.account_not_found
  if (from === to) return Refusal.invalid_request
  if (!core.assets[asset]) return Refusal.asset_not_found
  const known = references.find(from, reference)
  if (known >= 0) return references.hasTerms(known, ReferenceUse.transfer, asset, amount, to) ? none : Refusal.reference_reused
  if (!Number.isSafeInteger(amount) || amount <= 0) return Refusal.invalid_amount
  const [giving, taking] = [balances.find(from, asset), balances.find(to, asset)]
  if (taking !== none && balances.total(taking) + amount > amountMax) return Refusal.amount_too_large
  if (giving === none || amount > balances.available(giving)) return Refusal.insufficient_funds
  return (
    collateralRefusal(core, from, asset, amount) || enteringRefusal(core, from, asset, -amount) || enteringRefusal(core, to, asset, amount)
  )
}

/** Money of the venue's own into its insurance fund, or out of it. The fund may owe, but nobody takes out what is not there. */
export function moveInsurance(core: Core, { asset, amount, reference }: MoveInsurance): void {
  const refusal = insuranceRefusal(core, asset, amount, reference)
  if (refusal === none) core.emitRepeated()
  else if (refusal !== 0) core.emitRefused(refusal)
  else {
    core.references.addMissing(none, reference, 0, 0, ReferenceUse.insurance, asset, amount, 0)
    const of = core.assets[asset]!
    if (amount > 0) {
      of.deposits.add(amount)
      of.insurance.add(amount)
    } else {
      of.withdrawals.add(-amount)
      of.insurancePaid.add(-amount)
    }
    const at = core.outcome.begin(EventKind.insuranceMoved, 2)
    core.outcome.data[at] = asset
    core.outcome.data[at + 1] = amount
  }
}

function insuranceRefusal(core: Core, asset: number, amount: number, reference: string): number {
  const { references } = core
  if (!isReference(reference)) return Refusal.invalid_request
  const of = core.assets[asset]
  if (!of) return Refusal.asset_not_found
  const known = references.find(none, reference)
  if (known >= 0) return references.hasTerms(known, ReferenceUse.insurance, asset, amount, 0) ? none : Refusal.reference_reused
  if (!Number.isSafeInteger(amount) || amount === 0) return Refusal.invalid_amount
  return amount < 0 && of.insurance.toBigInt() - of.insurancePaid.toBigInt() < BigInt(-amount) ? Refusal.insufficient_funds : 0
}

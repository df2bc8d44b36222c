import { randomUUID } from 'node:crypto'
import { CommandKind } from '@maru/contracts'
import { tradingMoneyEndpoints } from '@maru/contracts/http/trading-money'
import { refusals } from '@maru/domain/exchange'
import { Problem, type HttpService } from '@maru/service-host'
import type { Intake } from '../intake/intake.ts'
import { requireSecondRules, submitOrThrow } from '../intake/submit.ts'
import { refusalOf } from '../replica/outcome-reader.ts'
import type { Replica } from '../replica/replica.ts'
import { parseAmount } from '../wire/parse.ts'
import { amountText, balanceData } from '../wire/wire.ts'

/** Movements between accounts, and of the insurance fund, by operators. */
export function serveTransfers({ http, replica, intake }: { http: HttpService; replica: Replica; intake: Intake }): void {
  const { exchange } = replica

  function accountOf(userId: string): number {
    const account = exchange.accountOf(userId)
    if (account < 0) throw new Problem('account_not_found', `${userId} has no account.`)
    return account
  }
  function assetOf(name: string): number {
    const asset = exchange.assetOf(name)
    if (asset < 0) throw new Problem('asset_not_found', `There is no asset ${name}.`)
    return asset
  }

  http.serve(tradingMoneyEndpoints.transfer, async ({ body, identity, deadlineMs }) => {
    requireSecondRules(exchange)
    const [from, to, asset] = [accountOf(body.from_user_id), accountOf(body.to_user_id), assetOf(body.asset)]
    if (from === to) {
      const message = 'is the account that gives'
      throw new Problem('invalid_request', `to_user_id: ${message}`, { errors: [{ path: 'to_user_id', message }] })
    }
    const amount = parseAmount(exchange.assets[asset]!, body.amount, 'amount')
    const outcome = await intake.submit(
      { kind: CommandKind.transferFunds, from, to, asset, amount, reference: body.reference ?? randomUUID(), actor: identity.userId },
      (applied) => refusalOf(applied.outcome) || { from: balanceData(applied, from, asset), to: balanceData(applied, to, asset) },
      deadlineMs,
    )
    if (typeof outcome === 'number') throw new Problem(refusals[outcome]!)
    return outcome
  })

  http.serve(tradingMoneyEndpoints.moveInsurance, async ({ body, identity, deadlineMs }) => {
    requireSecondRules(exchange)
    const asset = assetOf(body.asset)
    const view = exchange.assets[asset]!
    const amount = parseAmount(view, body.amount, 'amount') * (body.direction === 'IN' ? 1 : -1)
    await submitOrThrow(
      intake,
      {
        kind: CommandKind.moveInsurance,
        asset,
        amount,
        reference: body.reference ?? randomUUID(),
        actor: identity.userId,
      },
      deadlineMs,
    )
    return { asset: view.name, insurance: amountText(view, exchange.reconciliation()[asset]!.insurance) }
  })
}

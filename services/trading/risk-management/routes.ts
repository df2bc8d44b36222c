import { randomUUID } from 'node:crypto'
import { AccountMode, CommandKind } from '@maru/contracts'
import { tradingEndpoints } from '@maru/contracts/http/trading'
import { refusals, type Exchange } from '@maru/domain/exchange'
import { formatUnits, parseDecimal } from '@maru/domain/money'
import { Problem, type HttpService } from '@maru/service-host'
import type { Accounts } from '../accounts.ts'
import type { Intake } from '../intake/intake.ts'
import { submitOrThrow } from '../intake/submit.ts'
import { refusalOf } from '../replica/outcome-reader.ts'
import type { Replica } from '../replica/replica.ts'
import { parseAmount } from '../wire/parse.ts'
import { accountModes, amountText, balanceData } from '../wire/wire.ts'

const unchanged = -1

/** The asset in which limits and equity are counted. */
function riskAsset(exchange: Exchange) {
  const view = exchange.assets[exchange.markets[0]?.quote ?? 0]
  if (!view) throw new Problem('unavailable', 'No market has been set up yet.')
  return view
}

function riskAnswer(exchange: Exchange, account: number) {
  const asset = riskAsset(exchange)
  const risk = exchange.risk(account)
  const limits = exchange.limits(account)
  const text = (units: number): string => amountText(asset, units)
  return {
    user_id: exchange.userIdOf(account),
    mode: accountModes[exchange.mode(account)]!,
    equity: text(risk.equity),
    exposure: text(risk.exposure),
    leverage: (risk.leverageHundredths / 100).toFixed(2),
    daily_realized_pnl: text(risk.dailyRealized),
    borrowed: text(risk.borrowed),
    initial_margin: text(risk.initialMargin),
    maintenance_margin: text(risk.maintenanceMargin),
    margin_level: risk.maintenanceMargin === 0 ? null : levelText(risk.equity, risk.maintenanceMargin),
    liquidation: exchange.controls(account).liquidating !== 0,
    limits: {
      position_size: text(limits.positionNotionalMax),
      leverage: (limits.leverageMaxHundredths / 100).toFixed(2),
      daily_loss: text(limits.dailyLossMax),
      position_size_by_symbol: Object.fromEntries(
        [...limits.bySymbol].map(([symbol, units]) => [exchange.markets[symbol]!.name, text(units)]),
      ),
    },
  }
}

/** Equity over maintenance margin, rounded down in its fourth decimal, so that what shows 1 is at or above it. */
function levelText(equity: number, maintenance: number): string {
  const level = Math.floor((equity / maintenance) * 10_000)
  return formatUnits(level, 4)
}

export function serveRiskManagement({
  http,
  replica,
  intake,
  accounts,
}: {
  http: HttpService
  replica: Replica
  intake: Intake
  accounts: Accounts
}): void {
  const { exchange } = replica

  http.serve(tradingEndpoints.risk, async ({ params, identity }) => riskAnswer(exchange, await accounts.of(params.user_id, identity)))

  http.serve(tradingEndpoints.setRisk, async ({ params, body, identity, deadlineMs }) => {
    const account = await accounts.of(params.user_id, identity)
    const symbol = body.symbol === undefined ? -1 : exchange.symbolOf(body.symbol)
    if (body.symbol !== undefined && symbol < 0) throw new Problem('symbol_not_found', `There is no market ${body.symbol}.`)
    if (symbol >= 0 && (body.leverage !== undefined || body.daily_loss !== undefined))
      throw new Problem('invalid_request', 'Of a symbol only position_size can be set.', {
        errors: [{ path: body.leverage === undefined ? 'daily_loss' : 'leverage', message: 'is a limit of the whole account' }],
      })
    if (body.position_size === undefined && body.leverage === undefined && body.daily_loss === undefined)
      throw new Problem('invalid_request', 'Name at least one limit.', {
        errors: [{ path: 'position_size', message: 'is required where no other limit is given' }],
      })
    const asset = riskAsset(exchange)
    const amount = (value: string | number | undefined, path: string): number =>
      value === undefined ? unchanged : parseAmount(asset, value, path)
    let leverage = unchanged
    if (body.leverage !== undefined) {
      const hundredths = parseDecimal(body.leverage, 2)
      if (typeof hundredths !== 'number' || hundredths <= 0)
        throw new Problem('invalid_amount', 'leverage: must be positive with at most 2 decimals', {
          errors: [{ path: 'leverage', message: 'must be positive with at most 2 decimals' }],
        })
      leverage = hundredths
    }
    await submitOrThrow(
      intake,
      {
        kind: CommandKind.setLimits,
        account,
        symbol,
        positionNotionalMax: amount(body.position_size, 'position_size'),
        leverageMaxHundredths: leverage,
        dailyLossMax: amount(body.daily_loss, 'daily_loss'),
        actor: identity.userId,
      },
      deadlineMs,
    )
    return riskAnswer(exchange, account)
  })

  async function moveFunds(
    userId: string,
    body: { asset: string; amount: string | number; reference?: string },
    sign: 1 | -1,
    actor: string,
    deadlineMs: number | undefined,
  ) {
    const account = await accounts.existing(userId)
    const asset = exchange.assetOf(body.asset)
    const view = exchange.assets[asset]
    if (!view) throw new Problem('asset_not_found', `There is no asset ${body.asset}.`)
    const outcome = await intake.submit(
      {
        kind: CommandKind.moveFunds,
        account,
        asset,
        amount: sign * parseAmount(view, body.amount, 'amount'),
        reference: body.reference ?? randomUUID(),
        actor,
      },
      (applied) => refusalOf(applied.outcome) || balanceData(applied, account, asset),
      deadlineMs,
    )
    if (typeof outcome === 'number') throw new Problem(refusals[outcome]!)
    return outcome
  }

  http.serve(tradingEndpoints.deposit, ({ params, body, identity, deadlineMs }) =>
    moveFunds(params.user_id, body, 1, identity.userId, deadlineMs),
  )
  http.serve(tradingEndpoints.withdraw, ({ params, body, identity, deadlineMs }) =>
    moveFunds(params.user_id, body, -1, identity.userId, deadlineMs),
  )

  http.serve(tradingEndpoints.setMode, async ({ params, body, identity, deadlineMs }) => {
    const account = await accounts.of(params.user_id, identity)
    await submitOrThrow(
      intake,
      {
        kind: CommandKind.setMode,
        account,
        mode: body.mode === 'MARGIN' ? AccountMode.margin : AccountMode.cash,
        actor: identity.userId,
      },
      deadlineMs,
    )
    return riskAnswer(exchange, account)
  })
}

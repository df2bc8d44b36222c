import { CommandKind } from '@maru/contracts'
import { tradingMoneyEndpoints } from '@maru/contracts/http/trading-money'
import { feeMaxPpm } from '@maru/domain/exchange'
import { formatUnits, parseDecimal } from '@maru/domain/money'
import { Problem, type HttpService } from '@maru/service-host'
import type { Accounts } from '../accounts.ts'
import type { Intake } from '../intake/intake.ts'
import { requireSecondRules, submitOrThrow } from '../intake/submit.ts'
import { ppmScale } from '../markets/market-answer.ts'
import type { Replica } from '../replica/replica.ts'

const everyMarket = -1

/** A fee in millionths of the notional, at most `maxPpm`. */
function rateOf(value: string | number, path: string, maxPpm: number): number {
  const ppm = parseDecimal(value, ppmScale)
  if (typeof ppm === 'number' && ppm <= maxPpm) return ppm
  const isTooMuch = typeof ppm === 'number'
  const message = isTooMuch ? `must be at most ${formatUnits(maxPpm, ppmScale)}` : `must be a share with at most ${ppmScale} decimals`
  throw new Problem(isTooMuch ? 'invalid_amount' : 'invalid_request', `${path}: ${message}`, { errors: [{ path, message }] })
}

/** Fees of tiers, by operators, and what each account pays. */
export function serveFees(parts: { http: HttpService; replica: Replica; intake: Intake; accounts: Accounts }): void {
  const { http, intake, accounts } = parts
  const { exchange } = parts.replica
  const feesText = (rates: { makerFeePpm: number; takerFeePpm: number }) => ({
    maker_fee: formatUnits(rates.makerFeePpm, ppmScale),
    taker_fee: formatUnits(rates.takerFeePpm, ppmScale),
  })

  http.serve(tradingMoneyEndpoints.accountFees, async ({ params, identity }) => {
    const account = await accounts.of(params.user_id, identity)
    const { feeTier } = exchange.controls(account)
    return {
      user_id: params.user_id,
      fee_tier: feeTier === 0 ? null : feeTier,
      items: exchange.markets.map(({ name, symbol }) => ({ symbol: name, ...feesText(exchange.fees(account, symbol)) })),
    }
  })

  http.serve(tradingMoneyEndpoints.setFees, async ({ body, identity, deadlineMs }) => {
    requireSecondRules(exchange)
    const symbol = body.symbol === undefined ? everyMarket : exchange.symbolOf(body.symbol)
    if (body.symbol !== undefined && symbol < 0) throw new Problem('symbol_not_found', `There is no market ${body.symbol}.`)
    await submitOrThrow(
      intake,
      {
        kind: CommandKind.setFees,
        tier: body.tier,
        symbol,
        makerFeePpm: rateOf(body.maker_fee, 'maker_fee', exchange.markets[symbol]?.makerFeePpm ?? feeMaxPpm),
        takerFeePpm: rateOf(body.taker_fee, 'taker_fee', exchange.markets[symbol]?.takerFeePpm ?? feeMaxPpm),
        actor: identity.userId,
      },
      deadlineMs,
    )
    return {
      items: exchange
        .feeTiers()
        .map(({ tier, symbol: of, rates }) => ({ tier, symbol: of < 0 ? null : exchange.markets[of]!.name, ...feesText(rates) })),
    }
  })
}

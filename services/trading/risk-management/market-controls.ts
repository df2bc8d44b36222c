import { CommandKind, MarketStatus, symbolFromPath } from '@maru/contracts'
import { tradingEndpoints } from '@maru/contracts/http/trading'
import { tradingControlEndpoints } from '@maru/contracts/http/trading-controls'
import { marketRulesMax } from '@maru/domain/exchange'
import { formatUnits, parseDecimal } from '@maru/domain/money'
import { Problem, type HttpService } from '@maru/service-host'
import type { Intake } from '../intake/intake.ts'
import { requireSecondRules, submitOrThrow } from '../intake/submit.ts'
import { marketAnswer, ppmScale } from '../markets/market-answer.ts'
import type { Replica } from '../replica/replica.ts'

const unchanged = -1
const msScale = 3
const statuses = {
  OPEN: MarketStatus.open,
  CANCEL_ONLY: MarketStatus.cancelOnly,
  HALTED: MarketStatus.halted,
  AUCTION: MarketStatus.auction,
} as const

/** A decimal with at most `scale` digits behind the point, as whole units, at most `max` of them; -1 where it was not given. */
function figure(value: string | number | undefined, path: string, scale: number, max = Number.MAX_SAFE_INTEGER): number {
  if (value === undefined) return unchanged
  const units = parseDecimal(value, scale)
  if (typeof units === 'number' && units <= max) return units
  const message =
    typeof units === 'number' ? `must be at most ${formatUnits(max, scale)}` : `must be a decimal with at most ${scale} decimals`
  throw new Problem('invalid_request', `${path}: ${message}`, { errors: [{ path, message }] })
}

/** A volatility halt is refused without its window and its length; this says which is missing. */
function checkHalt(given: HaltRules, now: HaltRules): void {
  const of = (name: keyof HaltRules): number => (given[name] === unchanged ? now[name] : given[name])
  if (of('haltMovePpm') === 0) return
  const path = of('haltWindowMs') === 0 ? 'halt_window_seconds' : of('haltForMs') === 0 ? 'halt_seconds' : undefined
  if (path === undefined) return
  const message = 'must be more than 0 where halt_move is'
  throw new Problem('invalid_request', `${path}: ${message}`, { errors: [{ path, message }] })
}

type HaltRules = Readonly<Record<'haltMovePpm' | 'haltWindowMs' | 'haltForMs', number>>

/** States and rules of markets, by operators. */
export function serveMarketControls({ http, replica, intake }: { http: HttpService; replica: Replica; intake: Intake }): void {
  const { exchange } = replica

  function symbolOf(text: string): number {
    const name = symbolFromPath(text)
    const symbol = exchange.symbolOf(name)
    if (symbol < 0) throw new Problem('symbol_not_found', `There is no market ${name}.`)
    return symbol
  }

  http.serve(tradingEndpoints.setMarketStatus, async ({ params, body, identity, deadlineMs }) => {
    const symbol = symbolOf(params.symbol)
    const { status, auction_seconds: seconds } = body
    const isAuction = seconds !== undefined
    if (isAuction ? status !== 'OPEN' && status !== 'AUCTION' : status === 'AUCTION') {
      const message = isAuction ? `does not belong to ${status}` : 'is required for AUCTION'
      throw new Problem('invalid_request', `auction_seconds: ${message}`, { errors: [{ path: 'auction_seconds', message }] })
    }
    if (isAuction) requireSecondRules(exchange)
    const auctionMs = isAuction ? figure(seconds, 'auction_seconds', msScale) : 0
    await submitOrThrow(
      intake,
      { kind: CommandKind.setMarketStatus, symbol, status: statuses[status], auctionMs, actor: identity.userId },
      deadlineMs,
    )
    return marketAnswer(exchange, symbol)
  })

  http.serve(tradingControlEndpoints.setMarketRules, async ({ params, body, identity, deadlineMs }) => {
    requireSecondRules(exchange)
    const symbol = symbolOf(params.symbol)
    const command = {
      kind: CommandKind.setMarketRules,
      symbol,
      collarPpm: figure(body.collar, 'collar', ppmScale, marketRulesMax.collarPpm),
      limitBandPpm: figure(body.limit_band, 'limit_band', ppmScale, marketRulesMax.limitBandPpm),
      maintenancePpm: figure(body.maintenance_margin, 'maintenance_margin', ppmScale, marketRulesMax.maintenancePpm),
      haltMovePpm: figure(body.halt_move, 'halt_move', ppmScale, marketRulesMax.haltMovePpm),
      haltWindowMs: figure(body.halt_window_seconds, 'halt_window_seconds', msScale, marketRulesMax.haltWindowMs),
      haltForMs: figure(body.halt_seconds, 'halt_seconds', msScale, marketRulesMax.haltForMs),
      auctionForMs: figure(body.auction_seconds, 'auction_seconds', msScale, marketRulesMax.auctionForMs),
      actor: identity.userId,
    } as const
    checkHalt(command, exchange.markets[symbol]!.rules)
    await submitOrThrow(intake, command, deadlineMs)
    return marketAnswer(exchange, symbol)
  })
}

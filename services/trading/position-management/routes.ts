import { randomUUID } from 'node:crypto'
import { CommandKind, Side, symbolToPath } from '@maru/contracts'
import { tradingEndpoints } from '@maru/contracts/http/trading'
import { refusals, type Exchange, type PositionView } from '@maru/domain/exchange'
import { pageOf, Problem, type HttpService } from '@maru/service-host'
import type { Accounts } from '../accounts.ts'
import type { Intake } from '../intake/intake.ts'
import { refusalOf } from '../replica/outcome-reader.ts'
import type { Replica } from '../replica/replica.ts'
import { parsePrice, parseQuantity } from '../wire/parse.ts'
import { amountText, positionData, priceText, time } from '../wire/wire.ts'
import { unrealizedUnits } from './unrealized.ts'

/** A position with its mark, as the API shows it. */
function positionAnswer(exchange: Exchange, position: PositionView) {
  const market = exchange.markets[position.symbol]!
  const mark = exchange.mark(position.symbol)
  return {
    ...positionData(exchange, position),
    mark_price: mark === 0 ? null : priceText(market, mark),
    unrealized_pnl:
      mark === 0 ? (position.quantity === 0 ? '0' : null) : amountText(exchange.assets[market.quote]!, unrealizedUnits(exchange, position)),
    created_at: time(position.openedAtMs),
    updated_at: time(position.updatedAtMs),
  }
}

export function servePositionManagement({
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

  http.serve(tradingEndpoints.positions, async ({ params, query, identity }) => {
    const account = await accounts.of(params.user_id, identity)
    const items = exchange.positions(account).map((position) => positionAnswer(exchange, position))
    return pageOf(items, query, ({ symbol }) => symbolToPath(symbol))
  })

  http.serve(tradingEndpoints.positionsPnl, async ({ params, identity }) => {
    const account = await accounts.of(params.user_id, identity)
    let realized = 0n
    let unrealized = 0n
    let open = 0
    let scale = 0
    for (const position of exchange.positions(account)) {
      scale = exchange.assets[exchange.markets[position.symbol]!.quote]!.scale
      realized += BigInt(position.realized) - BigInt(position.fees)
      if (position.quantity === 0) continue
      open += 1
      if (exchange.mark(position.symbol) > 0) unrealized += BigInt(unrealizedUnits(exchange, position))
    }
    const text = (units: bigint): string => amountText({ name: '', scale }, units)
    return { total_pnl: text(realized + unrealized), realized_pnl: text(realized), unrealized_pnl: text(unrealized), positions_count: open }
  })

  http.serve(tradingEndpoints.bookFill, async ({ body, identity, deadlineMs }) => {
    const account = await accounts.existing(body.user_id)
    const symbol = exchange.symbolOf(body.symbol)
    const market = exchange.markets[symbol]
    if (!market) throw new Problem('symbol_not_found', `There is no market ${body.symbol}.`)
    const outcome = await intake.submit(
      {
        kind: CommandKind.bookFill,
        account,
        symbol,
        side: body.side === 'BUY' ? Side.buy : Side.sell,
        quantity: parseQuantity(market, body.quantity, 'quantity'),
        price: parsePrice(market, body.price, 'price'),
        reference: body.reference ?? randomUUID(),
        actor: identity.userId,
      },
      (applied) => {
        const refusal = refusalOf(applied.outcome)
        const position = applied.position(account, symbol)
        return refusal === 0 && position ? positionAnswer(applied, position) : refusal
      },
      deadlineMs,
    )
    if (typeof outcome === 'number') throw new Problem(refusals[outcome]!)
    return outcome
  })
}

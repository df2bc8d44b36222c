import { AccountMode } from '@maru/contracts'
import { tradingControlEndpoints } from '@maru/contracts/http/trading-controls'
import { refusals } from '@maru/domain/exchange'
import type { HttpService } from '@maru/service-host'
import type { Accounts } from '../accounts.ts'
import type { Replica } from '../replica/replica.ts'
import { amountText, averagePriceText, priceText, quantityText } from '../wire/wire.ts'
import { marketOf, placementOf } from './order-request.ts'

/** What would become of an order: read from this replica, without a command. */
export function servePreview({ http, replica, accounts }: { http: HttpService; replica: Replica; accounts: Accounts }): void {
  const { exchange } = replica

  http.serve(tradingControlEndpoints.previewOrder, async ({ body, identity }) => {
    const account = body.user_id === undefined ? await accounts.own(identity) : await accounts.of(body.user_id, identity)
    const order = { ...placementOf(exchange, account, marketOf(exchange, body.symbol), body), time: exchange.timeMs }
    const market = exchange.markets[order.symbol]!
    const quote = exchange.assets[market.quote]!
    const { refusal, lots, notional, fees, worstPrice, asset, required, availableAfter, initialMargin } = exchange.preview(order)
    const paid = exchange.assets[asset]!
    return {
      accepted: refusal === 0,
      reject_code: refusal === 0 ? null : refusals[refusal]!,
      estimated_quantity: quantityText(market, lots),
      estimated_average_price: lots === 0 ? null : averagePriceText(exchange, market, notional, lots),
      worst_price: lots === 0 ? null : priceText(market, worstPrice),
      estimated_fee: amountText(quote, fees),
      required_asset: paid.name,
      required_amount: amountText(paid, required),
      available_after: amountText(paid, availableAfter),
      initial_margin: exchange.mode(account) === AccountMode.margin ? amountText(quote, initialMargin) : null,
    }
  })
}

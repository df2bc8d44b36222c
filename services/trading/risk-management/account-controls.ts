import { CommandKind } from '@maru/contracts'
import { tradingControlEndpoints } from '@maru/contracts/http/trading-controls'
import { EventKind, OrderStatus, refusals, type Exchange, type Outcome } from '@maru/domain/exchange'
import { Problem, type HttpService, type Identity } from '@maru/service-host'
import type { Accounts } from '../accounts.ts'
import type { Intake } from '../intake/intake.ts'
import { requireSecondRules, submitOrThrow } from '../intake/submit.ts'
import { refusalOf } from '../replica/outcome-reader.ts'
import type { Replica } from '../replica/replica.ts'
import { controlsData } from '../wire/controls.ts'
import { time } from '../wire/wire.ts'

const unchanged = -1
const everything = -1

function controlsAnswer(exchange: Exchange, account: number) {
  const controls = exchange.controls(account)
  return {
    user_id: exchange.userIdOf(account),
    ...controlsData(controls),
    liquidation: controls.liquidating !== 0,
    cancels_all_at: controls.deadManMs === 0 ? null : time(controls.deadManMs),
  }
}

/** Orders that the command just applied has cancelled. */
function cancelledCount({ data, length }: Outcome): number {
  let count = 0
  for (let at = 0; at < length; at += data[at + 1]!)
    if (data[at] === EventKind.orderUpdated && data[at + 5] === OrderStatus.cancelled) count += 1
  return count
}

/** Controls of accounts, kill switches and dead-man timers. */
export function serveAccountControls(parts: { http: HttpService; replica: Replica; intake: Intake; accounts: Accounts }): void {
  const { http, intake, accounts } = parts
  const { exchange } = parts.replica

  http.serve(tradingControlEndpoints.controls, async ({ params, identity }) =>
    controlsAnswer(exchange, await accounts.of(params.user_id, identity)),
  )

  http.serve(tradingControlEndpoints.setControls, async ({ params, body, identity, deadlineMs }) => {
    requireSecondRules(exchange)
    const account = await accounts.of(params.user_id, identity)
    const figure = (value: number | null | undefined): number => (value === undefined ? unchanged : (value ?? 0))
    await submitOrThrow(
      intake,
      {
        kind: CommandKind.setAccountControls,
        account,
        tradeGroup: figure(body.trade_group),
        feeTier: figure(body.fee_tier),
        reduceOnly: body.reduce_only === undefined ? unchanged : Number(body.reduce_only),
        messagesPerSecondMax: figure(body.messages_per_second),
        openOrdersMax: figure(body.max_open_orders),
        actor: identity.userId,
      },
      deadlineMs,
    )
    return controlsAnswer(exchange, account)
  })

  /** What a kill switch is asked of, as the command names it. */
  async function scopeOf(body: { scope: string; user_id?: string; symbol?: string }, identity: Identity) {
    const misplaced =
      body.scope !== 'ACCOUNT' && body.user_id !== undefined
        ? 'user_id'
        : body.scope !== 'SYMBOL' && body.symbol !== undefined
          ? 'symbol'
          : undefined
    if (misplaced !== undefined) {
      const message = `does not belong to the scope ${body.scope}`
      throw new Problem('invalid_request', `${misplaced}: ${message}`, { errors: [{ path: misplaced, message }] })
    }
    if (body.scope === 'ACCOUNT') return { account: await accounts.of(body.user_id ?? identity.userId, identity), symbol: everything }
    if (!identity.isOperator) throw new Problem('forbidden', 'Only operators switch a market, or all of them.')
    if (body.scope === 'ALL') return { account: everything, symbol: everything }
    if (body.symbol === undefined) {
      throw new Problem('invalid_request', 'symbol: is required for the scope SYMBOL', {
        errors: [{ path: 'symbol', message: 'is required for the scope SYMBOL' }],
      })
    }
    const symbol = exchange.symbolOf(body.symbol)
    if (symbol < 0) throw new Problem('symbol_not_found', `There is no market ${body.symbol}.`)
    return { account: everything, symbol }
  }

  http.serve(tradingControlEndpoints.killSwitch, async ({ body, identity, deadlineMs }) => {
    requireSecondRules(exchange)
    const { account, symbol } = await scopeOf(body, identity)
    const { refusal, cancelled } = await intake.submit(
      {
        kind: CommandKind.setKillSwitch,
        account,
        symbol,
        isOn: body.active,
        byOperator: identity.isOperator,
        actor: identity.userId,
      },
      ({ outcome }) => ({ refusal: refusalOf(outcome), cancelled: cancelledCount(outcome) }),
      deadlineMs,
    )
    const code = refusals[refusal]!
    if (code === 'kill_switch') throw new Problem('forbidden', 'An operator switched it on; only an operator switches it off.')
    if (refusal !== 0) throw new Problem(code)
    return {
      scope: body.scope,
      user_id: account === everything ? null : exchange.userIdOf(account),
      symbol: body.symbol ?? null,
      active: body.active,
      cancelled_orders: cancelled,
    }
  })

  http.serve(tradingControlEndpoints.cancelAllAfter, async ({ body, identity, deadlineMs }) => {
    requireSecondRules(exchange)
    const account = await accounts.own(identity)
    await submitOrThrow(intake, { kind: CommandKind.cancelAllAfter, account, timeoutMs: body.timeout_ms }, deadlineMs)
    const { deadManMs } = exchange.controls(account)
    return { timeout_ms: body.timeout_ms, triggers_at: deadManMs === 0 ? null : time(deadManMs) }
  })
}

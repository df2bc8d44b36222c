import { AccountMode, type SetAccountControls, type SetLimits, type SetMode } from '@maru/contracts/commands'
import { unset } from './accounts.ts'
import type { Core } from './core.ts'
import { none } from './no-slot.ts'
import { EventKind } from './outcome.ts'
import { Refusal } from './refusals.ts'
import { dailyLossMaxOf, leverageMaxOf, positionNotionalMaxOf } from './risk.ts'

/** Sets limits of an account, or the position limit of one market; -1 leaves one as it is. The event has what holds afterwards. */
export function setLimits(core: Core, command: SetLimits): void {
  const { account, symbol, positionNotionalMax, leverageMaxHundredths, dailyLossMax } = command
  const { accounts, positions, outcome } = core
  const market = symbol === -1 ? core.markets[0] : core.market(symbol)
  if (!accounts.has(account)) core.emitRefused(Refusal.account_not_found)
  else if (!market) core.emitRefused(Refusal.symbol_not_found)
  else if (![positionNotionalMax, leverageMaxHundredths, dailyLossMax].every((limit) => Number.isSafeInteger(limit) && limit >= unset)) {
    core.emitRefused(Refusal.invalid_amount)
  } else {
    if (symbol !== -1) {
      if (positionNotionalMax !== unset) positions.setNotionalMax(core.positionOf(account, market), positionNotionalMax)
    } else {
      if (positionNotionalMax !== unset) accounts.setPositionNotionalMax(account, positionNotionalMax)
      if (leverageMaxHundredths !== unset) accounts.setLeverageMaxHundredths(account, leverageMaxHundredths)
      if (dailyLossMax !== unset) accounts.setDailyLossMax(account, dailyLossMax)
    }
    const at = outcome.begin(EventKind.limitsChanged, 6)
    const { data } = outcome
    data[at] = account
    data[at + 1] = accounts.nextSequence(account)
    data[at + 2] = symbol
    data[at + 3] = symbol === -1 ? accountPositionMax(core, account) : positionNotionalMaxOf(core, market, core.positionOf(account, market))
    data[at + 4] = leverageMaxOf(core, account)
    data[at + 5] = dailyLossMaxOf(core, account)
  }
}

const tradeGroupMax = 1_000_000_000
/** Tiers are numbered from 1; 0 is none. */
export const feeTierMax = 100
const messagesPerSecondMax = 1_000_000
/** As many as a position can count. */
const openOrdersCapMax = 10_000

const unchanged = -1

/** Sets controls of an account; -1 leaves one as it is, 0 takes it away. The event has what holds afterwards. */
export function setAccountControls(core: Core, command: SetAccountControls): void {
  const { accounts } = core
  const { account } = command
  const bounds = {
    tradeGroup: tradeGroupMax,
    feeTier: feeTierMax,
    reduceOnly: 1,
    messagesPerSecondMax,
    openOrdersMax: openOrdersCapMax,
  } as const
  const figures = Object.keys(bounds) as (keyof typeof bounds)[]
  if (!accounts.has(account)) core.emitRefused(Refusal.account_not_found)
  else if (figures.some((figure) => !isWithin(command[figure], bounds[figure]))) core.emitRefused(Refusal.invalid_request)
  else {
    const changed = figures.filter((figure) => command[figure] !== unchanged)
    accounts.changeControls(account, Object.fromEntries(changed.map((figure) => [figure, command[figure]])))
    emitControls(core, account)
  }
}

function isWithin(figure: number, max: number): boolean {
  return Number.isSafeInteger(figure) && figure >= unchanged && figure <= max
}

export function emitControls(core: Core, account: number): void {
  const { outcome, accounts } = core
  const at = outcome.begin(EventKind.controlsChanged, 2)
  outcome.data[at] = account
  outcome.data[at + 1] = accounts.nextSequence(account)
}

/** Position limit of a whole account, in units of the risk asset. */
export function accountPositionMax(core: Core, account: number): number {
  const given = core.accounts.positionNotionalMax(account)
  return given === unset ? (core.markets[0]?.positionNotionalMax ?? 0) : given
}

/** Whether an account owes nothing and its open orders could not make it owe: it may be a cash account. */
function owesNothing(core: Core, account: number): boolean {
  const { balances } = core
  for (let balance = core.accounts.firstBalance(account); balance !== none; balance = balances.nextOfAccount(balance)) {
    if (balances.total(balance) < 0 || balances.available(balance) < 0) return false
  }
  return true
}

/** Changes nothing where the mode is the same. */
export function setMode(core: Core, { account, mode }: SetMode): void {
  const { accounts, outcome } = core
  if (!accounts.has(account)) core.emitRefused(Refusal.account_not_found)
  else if (mode !== AccountMode.cash && mode !== AccountMode.margin) core.emitRefused(Refusal.invalid_request)
  else if (accounts.mode(account) === mode) core.emitRepeated()
  else if (mode === AccountMode.cash && !owesNothing(core, account)) core.emitRefused(Refusal.borrowing_outstanding)
  else {
    accounts.setMode(account, mode)
    const at = outcome.begin(EventKind.modeChanged, 3)
    outcome.data[at] = account
    outcome.data[at + 1] = accounts.nextSequence(account)
    outcome.data[at + 2] = mode
  }
}

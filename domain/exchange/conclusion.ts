import type { Core } from './core.ts'
import { deadManDue } from './dead-man.ts'
import { sweep } from './kill-switch.ts'
import { phaseDue } from './market-phases.ts'
import { closeResting } from './open-orders.ts'
import { advanceList, resumeLists } from './order-lists.ts'
import { none } from './no-slot.ts'
import { OrderStatus } from './outcome.ts'
import { expireUseless } from './reduce-only.ts'
import { TimerKind, type Timer } from './timers.ts'
import * as triggers from './triggers.ts'

/** Constants of this module are folded into the machine code; imported ones are looked up at each use. */
const { runTriggers } = triggers

/** Does what a command in a market has brought about: stops wake, lists go on, reduce-only orders without a position expire, until nothing more follows. */
export function conclude(core: Core, symbol: number): void {
  if (core.hasOpened && core.lists.size > 0) resumeLists(core, symbol)
  if (core.touchedHigh !== 0 || core.marked !== 0 || core.hasOpened) runTriggers(core, core.markets[symbol]!)
  if (core.listsToAdvance.length !== 0 || core.reduced.length !== 0) followUp(core)
}

/** Each list ends, or goes on to its last stage, so this ends. */
function followUp(core: Core): void {
  expireUseless(core)
  for (let list = core.listsToAdvance.shift(); list !== undefined; list = core.listsToAdvance.shift()) {
    core.forgetPrices()
    const market = advanceList(core, list)
    if (market) runTriggers(core, market)
    expireUseless(core)
  }
}

/** Does what has fallen due by the time of the command, before the command itself. */
export function runDue(core: Core): void {
  for (let timer = core.timers.takeDue(core.timeMs); timer; timer = core.timers.takeDue(core.timeMs)) {
    fallDue(core, timer)
    conclude(core, timer.kind === TimerKind.market ? timer.subject : none)
    core.forgetPrices()
  }
}

function fallDue(core: Core, { dueMs, kind, subject }: Timer): void {
  switch (kind) {
    case TimerKind.orderExpiry:
      expireOrder(core, subject)
      return
    case TimerKind.deadMan:
      deadManDue(core, subject, dueMs)
      return
    case TimerKind.market:
      phaseDue(core, core.markets[subject]!)
      return
    case TimerKind.sweep:
      sweep(core)
      return
    default:
      kind satisfies never
  }
}

/** An order that was closed before it was due is gone; one that was closed a moment ago is still there, but final. One that was amended may be due later. */
function expireOrder(core: Core, id: number): void {
  const { orders, positions } = core
  const slot = orders.find(id)
  if (slot === none || orders.status(slot) > OrderStatus.partiallyFilled || orders.details(slot).expiresAtMs > core.timeMs) return
  const symbol = positions.symbol(orders.position(slot))
  closeResting(core, core.markets[symbol]!, slot, OrderStatus.expired, 0)
}

import { CommandKind } from '@maru/contracts'
import { pause, systemClock, type Clock } from '@maru/event-log'
import type { Logger } from '@maru/service-host'
import type { Intake } from '../intake/intake.ts'
import type { Replica } from '../replica/replica.ts'

/** How often it is looked what is due next: something that falls due sooner may have come up meanwhile. */
const lookEveryMs = 50

/**
 * Lets time pass where nobody trades: when something falls due in the exchange (an order expires, a halt ends, a dead-man timer runs out) and no command has brought
 * it about, one that does nothing else is appended. Runs on the instance that leads; two for a moment do no harm, as what is due happens once.
 */
export async function runClockwork(options: {
  replica: Replica
  intake: Intake
  logger: Logger
  signal: AbortSignal
  clock?: Clock
}): Promise<void> {
  const { intake, logger, signal, clock = systemClock } = options
  const { exchange } = options.replica
  while (!signal.aborted) {
    const left = exchange.nextDueMs - clock.nowMs()
    if (left > 0) {
      await pause(Math.min(left, lookEveryMs), signal, clock)
      continue
    }
    try {
      await intake.submit({ kind: CommandKind.tick }, () => undefined)
    } catch (error) {
      if (signal.aborted) return
      logger.warn({ err: error }, 'the exchange could not be told the time')
      await pause(lookEveryMs, signal, clock)
    }
  }
}

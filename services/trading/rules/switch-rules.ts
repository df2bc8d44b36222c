import { CommandKind } from '@maru/contracts'
import { newestRules, refusals } from '@maru/domain/exchange'
import { pause } from '@maru/event-log'
import type { Discovery, Logger } from '@maru/service-host'
import type { Intake } from '../intake/intake.ts'
import { refusalOf } from '../replica/outcome-reader.ts'
import type { Replica } from '../replica/replica.ts'

const lookEveryMs = 1_000

/**
 * Switches the newest rules of this release on, as soon as every live instance is of this release: a replica of an older one would not know what to make of
 * them. So a rolling deploy ends with the switch, and not before. Runs where the publisher leads.
 */
export async function switchRules(parts: {
  replica: Replica
  intake: Intake
  discovery: Discovery
  version: string
  logger: Logger
  signal: AbortSignal
}): Promise<void> {
  const { replica, intake, discovery, version, logger, signal } = parts
  const { exchange } = replica
  while (!signal.aborted && exchange.rules < newestRules) {
    const instances = await discovery.instances('trading')
    const older = instances.filter((instance) => instance.version !== version)
    if (older.length === 0) {
      const command = { kind: CommandKind.setRules, rules: newestRules, actor: 'maru' } as const
      const refusal = await intake.submit(command, (applied) => refusalOf(applied.outcome))
      if (refusal === 0) logger.info({ rules: newestRules }, 'new rules are switched on')
      else logger.warn({ code: refusals[refusal] }, 'new rules could not be switched on')
    }
    await pause(lookEveryMs, signal)
  }
}

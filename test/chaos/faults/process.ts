import { setTimeout as sleep } from 'node:timers/promises'
import { eventually } from '../../support/client.ts'
import { services } from '../platform.ts'
import { oneOf, type Fault } from './fault.ts'

const pausedMs = 4_000

/** SIGKILL to one instance. */
export const kills: readonly Fault[] = services.map((service) => ({
  name: `kill -9 one ${service}`,
  kind: 'kill',
  service,
  async inject(platform, random) {
    const { pid } = oneOf(await platform.ready(service), random)
    process.kill(pid, 'SIGKILL')
    await platform.untilWhole(service, [pid])
  },
}))

/** SIGSTOP to one instance, SIGCONT after a while: a machine that swaps, or a long pause of its runtime. */
export const pauses: readonly Fault[] = services.map((service) => ({
  name: `SIGSTOP one ${service} for ${pausedMs / 1_000} s`,
  kind: 'pause',
  service,
  async inject(platform, random, { mended }) {
    const { pid } = oneOf(await platform.ready(service), random)
    process.kill(pid, 'SIGSTOP')
    await sleep(pausedMs)
    try {
      process.kill(pid, 'SIGCONT')
    } catch {
      // It was taken for dead, and replaced.
    }
    mended()
    await platform.untilWhole(service)
  },
}))

/** SIGKILL to PostgreSQL, so that it has to recover from its log. */
export const databaseKill: Fault = {
  name: 'kill -9 PostgreSQL',
  kind: 'database',
  service: undefined,
  async inject(platform) {
    const pid = await platform.postgresPid()
    process.kill(pid, 'SIGKILL')
    await eventually(
      () => platform.postgresPid(),
      (now) => now !== pid,
      60_000,
    )
    await platform.untilAnswering()
    for (const service of services) await platform.untilWhole(service)
  },
}

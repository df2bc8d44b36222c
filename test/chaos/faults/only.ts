import { setTimeout as sleep } from 'node:timers/promises'
import { eventually } from '../../support/client.ts'
import type { Service } from '../platform.ts'
import type { Fault } from './fault.ts'
import { killWithin, oldBesideNew, pidsOf } from './within-change.ts'

/** Until a process that stands by has loaded its modules, under load. */
const loadingMs = 4_000

/** SIGKILL to the only instance there is of a service, by itself and while its successor starts. */
export function killsOfTheOnly(service: Service): readonly Fault[] {
  return [
    {
      name: `kill -9 the only ${service}`,
      kind: 'kill',
      service,
      async inject(platform) {
        const [only] = await platform.ready(service)
        process.kill(only!.pid, 'SIGKILL')
        await platform.untilWhole(service, [only!.pid], 1)
      },
    },
    {
      name: `kill -9 the only ${service} within its deploy`,
      kind: 'kill within a change',
      service,
      async inject(platform, _random, mark) {
        // The one killed before has a successor by now, and a process that stands by for that one.
        await eventually(
          () => platform.processesOf(service),
          (pids) => pids.length === 2,
        )
        await sleep(loadingMs)
        const before = pidsOf(await platform.supervised(service))
        const { code, output } = await killWithin(platform, service, ['deploy', service], oldBesideNew, mark)
        mark.mended()
        if (code !== 0) throw new Error(`it ended with ${code}: ${output}`)
        await platform.untilWhole(service, before, 1)
      },
    },
  ]
}

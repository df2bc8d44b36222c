import { setTimeout as sleep } from 'node:timers/promises'
import { services } from '../platform.ts'
import type { Fault } from './fault.ts'

const fullMs = 3_000

/** No block is left on the disk that holds the log, for a while. */
export const fullDisk: Fault = {
  name: `the disk of the log is full for ${fullMs / 1_000} s`,
  kind: 'disk',
  service: undefined,
  async inject(platform, _random, { mended }) {
    const { disk } = platform
    if (!disk) throw new Error('there is no disk to fill')
    await disk.fill()
    await sleep(fullMs)
    await disk.free()
    mended()
    await platform.untilAnswering()
    for (const service of services) await platform.untilWhole(service)
  },
}

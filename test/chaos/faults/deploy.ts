import { services } from '../platform.ts'
import type { Fault } from './fault.ts'

/** A rolling deploy of one service, by the command a person would use. */
export const deploys: readonly Fault[] = services.map((service) => ({
  name: `deploy ${service}`,
  kind: 'deploy',
  service,
  async inject(platform, _random, { mended }) {
    const before = (await platform.ready(service)).map(({ pid }) => pid)
    await platform.maru('deploy', service)
    mended()
    await platform.untilWhole(service, before)
  },
}))

import { promises } from 'node:dns'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Logger } from '../../logger.ts'
import { serviceKeys } from '../../names.ts'
import { AskedInstances } from '../asking.ts'
import { PlatformDiscovery } from '../platform.ts'
import { discoveryLease, type Discovery, type Lease } from '../port.ts'
import { LiveView } from '../view.ts'
import { lookUp, ttlMinMs } from './look-up.ts'
import type { DnsSetting } from './setting.ts'

const answerMs = 1_000
const triesMax = 2

/**
 * Discovery by DNS: names say where instances are, and each is asked itself what it is. A change of the records is known when their time to live is over,
 * within the bounds of the setting; a death, and whether an instance is ready, by asking it. While the name server does not answer, what was found last counts.
 * Rejects where no name can be looked up at first.
 */
export async function openDnsDiscovery(options: { setting: DnsSetting; logger: Logger; lease?: Lease }): Promise<Discovery> {
  const { setting, logger, lease = discoveryLease } = options
  const resolver = new promises.Resolver({ timeout: answerMs, tries: triesMax })
  if (setting.server !== undefined) resolver.setServers([setting.server])
  const view = new LiveView()
  const asked = new AskedInstances({ view, logger, lease })
  const closed = new AbortController()

  const look = async (service: string): Promise<number> => {
    const { authorities, ttlMs } = await lookUp(resolver, service, setting)
    const places = authorities.map((authority) => ({ service, url: `http://${authority}`, state: 'ready' as const }))
    const all = asked.setPlaces(service, places)
    if (isFirst) await all
    return ttlMs
  }
  const follow = async (service: string, firstMs: number): Promise<void> => {
    let waitMs = firstMs
    let isAway = false
    while (!closed.signal.aborted) {
      await sleep(waitMs, undefined, { signal: closed.signal }).catch(() => undefined)
      if (closed.signal.aborted) return
      try {
        waitMs = await look(service)
        isAway = false
      } catch (error) {
        if (!isAway && !closed.signal.aborted)
          logger.warn({ err: error, service }, 'discovery: the name server does not answer; going on with what was found last')
        isAway = true
        waitMs = Math.min(Math.max(waitMs, ttlMinMs) * 2, setting.ttlMaxMs)
      }
    }
  }

  let isFirst = true
  const first = await Promise.all(serviceKeys.map(async (service) => ({ service, ttlMs: await look(service) }))).catch(
    async (error: unknown) => {
      resolver.cancel()
      await asked[Symbol.asyncDispose]()
      throw error
    },
  )
  isFirst = false
  const following = first.map(({ service, ttlMs }) => follow(service, ttlMs))
  return new PlatformDiscovery({
    view,
    noticeMs: lease.renewMs,
    async close() {
      closed.abort()
      resolver.cancel()
      await Promise.all(following)
      await asked[Symbol.asyncDispose]()
    },
  })
}

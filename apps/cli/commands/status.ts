import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { readCliSettings, type Environment } from '../config.ts'
import { command } from '../control-client.ts'
import { formatStatus, joinInstances, type PlatformStatus } from '../status-table.ts'
import { getJson } from '../supervisor/http.ts'
import { liveHolder, type Holder } from '../supervisor/lock.ts'
import { openTerminal } from '../terminal.ts'

const redrawEveryMs = 1_000
const clearScreen = '\u001B[H\u001B[2J'

/**
 * `maru status [--once] [--json]`: every instance as supervisor and gateway see it; on a terminal drawn anew each second until Ctrl-C. Exit code 0 when all is ready, 3 when
 * Maru does not run, 1 otherwise.
 */
export async function showStatus(environment: Environment, parameters: readonly string[]): Promise<number> {
  const terminal = openTerminal()
  const { values } = parseArgs({ args: [...parameters], options: { once: { type: 'boolean' }, json: { type: 'boolean' } } })
  const { homeFolder } = readCliSettings(environment)
  const look = async (): Promise<PlatformStatus | undefined> => {
    const holder = liveHolder(homeFolder)
    return holder && readStatus(homeFolder, holder)
  }
  const isLive = process.stdout.isTTY && !values.once && !values.json
  for (;;) {
    const status = await look()
    if (status === undefined) {
      terminal.say(values.json ? 'null' : `Maru does not run on ${homeFolder}.`)
      return 3
    }
    if (values.json) terminal.say(JSON.stringify(status, null, 2))
    else terminal.say(`${isLive ? clearScreen : ''}${formatStatus(status, Date.now())}`)
    if (!isLive) return status.ready ? 0 : 1
    await sleep(redrawEveryMs)
  }
}

/** What supervisor and gateway tell; what cannot be asked is said and left out. */
async function readStatus(homeFolder: string, holder: Holder): Promise<PlatformStatus> {
  const url = holder.url.replace('localhost', '127.0.0.1')
  const lacks: string[] = []
  const [own, ready, seen] = await Promise.all([
    command(homeFolder, 'status').catch((error: unknown) => void lacks.push((error as Error).message)),
    getJson(`${url}/health/ready`, 5_000).catch((error: unknown) => {
      lacks.push(`the gateway at ${holder.url} does not answer: ${(error as Error).message}`)
    }),
    getJson(`${url}/health/services`, 5_000).catch(() => undefined),
  ])
  const { instances = [], running = null } = (own?.data ?? {}) as {
    instances?: Record<string, unknown>[]
    running?: PlatformStatus['running']
  }
  return {
    url: holder.url,
    supervisor_pid: holder.pid,
    started_at: holder.startedAt,
    ready: ready?.status === 200 && instances.every(({ state }) => state === 'ready'),
    running,
    instances: joinInstances(instances, (seen?.body as { items?: Record<string, unknown>[] } | undefined)?.items ?? []),
    lacks,
  }
}

import { readCliSettings, type Environment } from '../config.ts'
import { getJson } from '../supervisor/http.ts'
import { liveHolder } from '../supervisor/lock.ts'
import { openTerminal } from '../terminal.ts'

const columns = ['service', 'state', 'circuit', 'pid', 'url', 'version', 'started_at'] as const

/** `maru status`: a table of every instance as the gateway sees it. 0 when all is ready, 3 when Maru does not run, 1 otherwise. */
export async function showStatus(environment: Environment): Promise<number> {
  const terminal = openTerminal()
  const { homeFolder } = readCliSettings(environment)
  const holder = liveHolder(homeFolder)
  if (!holder) {
    terminal.say(`Maru does not run on ${homeFolder}.`)
    return 3
  }
  const url = holder.url.replace('localhost', '127.0.0.1')
  try {
    const [ready, services] = await Promise.all([getJson(`${url}/health/ready`, 5_000), getJson(`${url}/health/services`, 5_000)])
    terminal.say(
      `Maru at ${holder.url} is ${ready.status === 200 ? 'ready' : 'not ready'} (supervisor pid ${holder.pid}, since ${holder.startedAt})\n`,
    )
    terminal.say(formatInstances(itemsOf(services.body)))
    return ready.status === 200 ? 0 : 1
  } catch (error) {
    terminal.note(`the supervisor runs (pid ${holder.pid}) but the gateway at ${holder.url} does not answer: ${(error as Error).message}`)
    return 1
  }
}

function itemsOf(body: unknown): Record<string, unknown>[] {
  const items = Array.isArray(body) ? body : ((body as { items?: unknown } | undefined)?.items ?? [])
  return Array.isArray(items) ? (items as Record<string, unknown>[]) : []
}

function formatInstances(instances: readonly Record<string, unknown>[]): string {
  const lines = [columns.map(String), ...instances.map((instance) => columns.map((column) => cellOf(instance[column])))]
  const widths = columns.map((_, index) => Math.max(...lines.map((line) => line[index]?.length ?? 0)))
  return lines
    .map((line) =>
      line
        .map((cell, index) => cell.padEnd(widths[index] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}

function cellOf(value: unknown): string {
  return typeof value === 'string' || typeof value === 'number' ? String(value) : '-'
}

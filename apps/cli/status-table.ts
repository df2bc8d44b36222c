/** An instance as the supervisor and the gateway know it together; what one of them does not know is null. */
export interface InstanceStatus {
  service: string
  id: string
  state: string
  circuit: string | null
  pid: number | null
  url: string | null
  version: string | null
  /** Where it was deployed from; null for the supervisor's own folder. */
  release: string | null
  started_at: string | null
  restarts: number | null
  /** Ends in a row since it was last healthy. */
  failures: number | null
  next_start_at: string | null
  last_end: { reason: string; at: string } | null
  load: unknown
}

export interface PlatformStatus {
  url: string
  supervisor_pid: number
  started_at: string
  ready: boolean
  /** The command that is being carried out. */
  running: { what: string; since: string } | null
  instances: InstanceStatus[]
  /** What could not be asked, and why. */
  lacks: string[]
}

/** Joins what the supervisor and the gateway tell of instances. Where the gateway knows one, its view of the state goes first: requests go by it. */
export function joinInstances(supervised: readonly Record<string, unknown>[], seen: readonly Record<string, unknown>[]): InstanceStatus[] {
  const byId = new Map(seen.map((instance) => [String(instance['id']), instance]))
  const joined = supervised.map((own) => {
    const id = String(own['id'])
    const routed = byId.get(id)
    byId.delete(id)
    const ownState = String(own['state'])
    // Who routes knows better whether it takes requests; who runs it, whether it is ending or waits to be started again.
    const state = ownState === 'ready' && typeof routed?.['state'] === 'string' ? routed['state'] : ownState
    return complete({ ...routed, ...own, state })
  })
  return [...joined, ...[...byId.values()].map(complete)].sort((a, b) => (`${a.service} ${a.id}` < `${b.service} ${b.id}` ? -1 : 1))
}

function complete(given: Record<string, unknown>): InstanceStatus {
  const text = (name: string): string | null => (typeof given[name] === 'string' ? given[name] : null)
  const number = (name: string): number | null => (typeof given[name] === 'number' ? given[name] : null)
  return {
    service: text('service') ?? '?',
    id: text('id') ?? '?',
    state: text('state') ?? '?',
    circuit: text('circuit'),
    pid: number('pid'),
    url: text('url'),
    version: text('version'),
    release: text('release'),
    started_at: text('started_at'),
    restarts: number('restarts'),
    failures: number('failures'),
    next_start_at: text('next_start_at'),
    last_end: (given['last_end'] as InstanceStatus['last_end'] | undefined) ?? null,
    load: given['load'] ?? null,
  }
}

const columns = ['service', 'instance', 'state', 'circuit', 'pid', 'url', 'version', 'uptime', 'restarts', 'load', 'note'] as const

/** The table of `maru status`, a line an instance. */
export function formatStatus(status: PlatformStatus, nowMs: number): string {
  const head = `Maru at ${status.url} is ${status.ready ? 'ready' : 'not ready'} (supervisor pid ${status.supervisor_pid}, up ${ageOf(status.started_at, nowMs)})`
  const rows = status.instances.map((instance) => rowOf(instance, nowMs))
  const used = columns.filter((name) => name !== 'load' || rows.some((row) => row.load !== '-'))
  const lines = [used.map(String), ...rows.map((row) => used.map((name) => row[name]))]
  const widths = used.map((_, index) => Math.max(...lines.map((line) => line[index]?.length ?? 0)))
  const table = lines.map((line) =>
    line
      .map((cell, index) => cell.padEnd(widths[index] ?? 0))
      .join('  ')
      .trimEnd(),
  )
  const running = status.running ? [`running: ${status.running.what} (since ${ageOf(status.running.since, nowMs)})`] : []
  return [head, ...running, ...status.lacks, '', ...table].join('\n')
}

function rowOf(instance: InstanceStatus, nowMs: number): Record<(typeof columns)[number], string> {
  const { pid, restarts, next_start_at: nextStart } = instance
  return {
    service: instance.service,
    instance: instance.id,
    state: nextStart === null ? instance.state : (instance.failures ?? 0) > 1 ? 'crash-loop' : 'restarting',
    circuit: instance.circuit ?? '-',
    pid: pid === null ? '-' : String(pid),
    url: instance.url ?? '-',
    version: instance.version ?? '-',
    uptime: pid === null || instance.started_at === null ? '-' : ageOf(instance.started_at, nowMs),
    restarts: restarts === null ? '-' : String(restarts),
    load: loadOf(instance.load),
    note: noteOf(instance, nowMs),
  }
}

function noteOf({ next_start_at: nextStart, failures, last_end: lastEnd, release }: InstanceStatus, nowMs: number): string {
  const said: string[] = []
  if (nextStart !== null)
    said.push(`ended ${failures} times in a row, next start in ${Math.max(0, (Date.parse(nextStart) - nowMs) / 1_000).toFixed(1)} s`)
  if (lastEnd !== null) said.push(`last end ${ageOf(lastEnd.at, nowMs)} ago: ${lastEnd.reason}`)
  if (release !== null) said.push(`from ${release}`)
  return said.join('; ')
}

function loadOf(load: unknown): string {
  if (typeof load === 'number') return String(load)
  return load === null || load === undefined ? '-' : JSON.stringify(load).replace(/[{}"]/g, '')
}

function ageOf(time: string, nowMs: number): string {
  const seconds = Math.max(0, Math.floor((nowMs - Date.parse(time)) / 1_000))
  if (seconds < 60) return `${seconds} s`
  if (seconds < 3_600) return `${Math.floor(seconds / 60)} min`
  if (seconds < 172_800) return `${Math.floor(seconds / 3_600)} h ${Math.floor((seconds % 3_600) / 60)} min`
  return `${Math.floor(seconds / 86_400)} d`
}

import path from 'node:path'
import { serviceKeys } from '@maru/service-host/names'
import { getJson } from './http.ts'
import type { ControlHandler, ControlReply, ControlRequest } from './control-server.ts'
import { inRelease, isService, parseReplicas, releaseFault, type Deployment } from './deployment.ts'
import { rollOut, scaleTo, type RolloutOptions, type RolloutResult } from './rollout.ts'
import type { ServiceGroup, SupervisedService } from './service-group.ts'
import type { Supervisor } from './supervisor.ts'

export interface PlatformControl {
  supervisor: Supervisor
  /** Each service as the supervisor's own checkout has it. */
  services: readonly SupervisedService[]
  /** Of the gateway. */
  url: string
  deployment: Deployment
  save(deployment: Deployment): Promise<void>
  /** Whether more than one gateway can listen on its port here. */
  portIsShared: boolean
  note(line: string): void
  stop(): void
  startedAt: Date
}

const drainMs = 10_000
const seconds = { readyWithin: { fallback: 60, max: 3_600 }, bake: { fallback: 2, max: 600 } }

/** What `maru status`, `scale`, `deploy`, `restart` and `stop` ask of the running platform. Commands that change it are carried out one at a time; a second one is refused. */
export function platformCommands(platform: PlatformControl): ControlHandler {
  let running: { what: string; since: Date } | undefined
  const alone = async (what: string, act: () => Promise<ControlReply>): Promise<ControlReply> => {
    if (running)
      return { ok: false, summary: `refused: "${running.what}" runs since ${running.since.toISOString()}; try again when it is done` }
    if (platform.supervisor.stopping.aborted) return { ok: false, summary: 'refused: the platform is being stopped' }
    running = { what, since: new Date() }
    try {
      return await act()
    } finally {
      running = undefined
    }
  }
  return async (request, say) => {
    const tell = (line: string): void => {
      say(line)
      platform.note(line)
    }
    switch (request.command) {
      case 'status':
        return { ok: true, summary: 'status', data: statusOf(platform, running) }
      case 'scale': {
        const replicas = parseReplicas(textOf(request, 'replicas'))
        return alone(`scale ${textOf(request, 'replicas')}`, () => scale(platform, replicas, options(platform, request, tell), tell))
      }
      case 'deploy':
      case 'restart': {
        const groups = groupsOf(platform, request)
        const what = `${request.command} ${groups.map(({ name }) => name).join(' ')}`
        return alone(what, () => replace(platform, groups, request, options(platform, request, tell), tell))
      }
      case 'stop':
        platform.stop()
        return { ok: true, summary: 'stopping' }
      default:
        return { ok: false, summary: `the supervisor knows no command "${request.command.slice(0, 40)}"` }
    }
  }
}

async function scale(
  platform: PlatformControl,
  replicas: ReadonlyMap<string, number>,
  how: RolloutOptions,
  tell: (line: string) => void,
): Promise<ControlReply> {
  if ((replicas.get('gateway') ?? 1) > 1 && !platform.portIsShared)
    return { ok: false, summary: 'refused: on this system only one gateway can listen on the port' }
  return each([...replicas], tell, async ([name, count]) => {
    const result = await scaleTo(platform.supervisor.groups.get(name) as ServiceGroup, count, how)
    if (result.ok) await remember(platform, name, { replicas: count })
    return result
  })
}

async function replace(
  platform: PlatformControl,
  groups: readonly ServiceGroup[],
  request: ControlRequest,
  how: RolloutOptions,
  tell: (line: string) => void,
): Promise<ControlReply> {
  const folder = request.parameters['from'] === undefined ? undefined : path.resolve(textOf(request, 'from'))
  for (const { name } of groups) {
    const fault = folder === undefined ? undefined : releaseFault(folder, name)
    if (fault !== undefined) return { ok: false, summary: `refused: ${fault}` }
    if (name === 'gateway' && !platform.portIsShared)
      return {
        ok: false,
        summary: 'refused: on this system two gateways cannot share the port, so one cannot take over from the other; restart all',
      }
  }
  return each(groups, tell, async (group) => {
    const own = platform.services.find(({ name }) => name === group.name) as SupervisedService
    const next = request.command === 'restart' ? group.service : folder === undefined ? own : inRelease(own, folder)
    const result = await rollOut(group, next, how)
    if (result.ok) await remember(platform, group.name, { release: next.release })
    return result
  })
}

/** One after the other, as far as all goes well. */
async function each<Item>(
  items: readonly Item[],
  tell: (line: string) => void,
  act: (item: Item) => Promise<RolloutResult>,
): Promise<ControlReply> {
  const summaries: string[] = []
  for (const item of items) {
    const { ok, summary } = await act(item)
    summaries.push(summary)
    if (!ok) return { ok, summary: summaries.join('\n') }
    if (items.length > 1) tell(summary)
  }
  return { ok: true, summary: items.length > 1 ? 'all is done' : summaries.join('\n') }
}

async function remember(
  platform: PlatformControl,
  name: string,
  change: { replicas?: number; release?: string | undefined },
): Promise<void> {
  if (!isService(name)) return
  const { replicas, release } = { ...platform.deployment[name], ...change }
  platform.deployment[name] = { ...(replicas === undefined ? {} : { replicas }), ...(release === undefined ? {} : { release }) }
  await platform.save(platform.deployment)
}

function options({ supervisor, url }: PlatformControl, request: ControlRequest, say: (line: string) => void): RolloutOptions {
  return {
    readyWithinMs: secondsOf(request, 'readyWithin') * 1_000,
    bakeMs: secondsOf(request, 'bake') * 1_000,
    drainMs,
    seen: (instanceId) => seenByGateway(url, instanceId),
    say,
    signal: supervisor.stopping,
  }
}

/** The gateway knows it as ready and has not cut it off; undefined where the gateway says nothing. */
async function seenByGateway(url: string, instanceId: string): Promise<boolean | undefined> {
  const answer = await getJson(`${url}/health/services`, 2_000).catch(() => undefined)
  const items = (answer?.body as { items?: { id?: unknown; state?: unknown; circuit?: unknown }[] } | undefined)?.items
  if (items === undefined) return undefined
  return items.some(({ id, state, circuit }) => id === instanceId && state === 'ready' && circuit !== 'open')
}

function statusOf({ supervisor, url, startedAt }: PlatformControl, running: { what: string; since: Date } | undefined): unknown {
  return {
    url,
    pid: process.pid,
    started_at: startedAt.toISOString(),
    running: running === undefined ? null : { what: running.what, since: running.since.toISOString() },
    instances: [...supervisor.groups.values()].flatMap((group) =>
      group.children.map((child) => {
        const { id, pid, url: own, state, startedAtMs, restarts, failures, nextStartAtMs, lastEnd } = child.status
        return {
          service: group.name,
          id,
          state,
          pid: pid ?? null,
          url: own ?? null,
          release: (child.definition as SupervisedService).release ?? null,
          started_at: new Date(startedAtMs).toISOString(),
          restarts,
          failures,
          next_start_at: nextStartAtMs === undefined ? null : new Date(nextStartAtMs).toISOString(),
          last_end: lastEnd === undefined ? null : { reason: lastEnd.reason, at: new Date(lastEnd.atMs).toISOString() },
        }
      }),
    ),
  }
}

/** The services that a command names; `all` stands for every one, the gateway last. */
function groupsOf({ supervisor }: PlatformControl, { parameters }: ControlRequest): ServiceGroup[] {
  const names = parameters['services']
  if (!Array.isArray(names) || names.length === 0) throw new Error(`name a service, or all: ${serviceKeys.join(', ')}`)
  const wanted = names.includes('all') ? serviceKeys : (names as unknown[]).map(String)
  return [...new Set(wanted)].map((name) => {
    const group = supervisor.groups.get(name)
    if (!group) throw new Error(`there is no service "${name.slice(0, 40)}"; there are ${serviceKeys.join(', ')}`)
    return group
  })
}

function textOf({ parameters }: ControlRequest, name: string): string {
  const value = parameters[name]
  if (typeof value !== 'string' || value === '') throw new Error(`${name} is missing`)
  return value
}

function secondsOf({ parameters }: ControlRequest, name: keyof typeof seconds): number {
  const { fallback, max } = seconds[name]
  const value = parameters[name] ?? fallback
  if (typeof value !== 'number' || !(value >= 0) || value > max) throw new Error(`${name} must be a number of seconds from 0 to ${max}`)
  return value
}

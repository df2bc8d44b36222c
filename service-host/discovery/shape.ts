import { discoveryBounds, DiscoveryError, type Instance, type InstanceState, type Load, type OwnInstance } from './port.ts'

/** An instance as it was read somewhere, and its load where it said one. */
export interface Seen {
  instance: Instance
  load: Load | undefined
}

const name = /^[A-Za-z0-9][A-Za-z0-9._:-]*$/
const serviceName = /^[a-z][a-z0-9-]*$/
const capability = /^[a-z0-9][a-z0-9._:/-]*$/
const states: readonly InstanceState[] = ['starting', 'ready', 'draining']

/** The announcement with its capabilities in order. Throws DiscoveryError `malformed` that names every fault. */
export function checkedAnnouncement(own: OwnInstance): Instance {
  const instance: Instance = { ...own, readyAt: null, capabilities: [...new Set(own.capabilities)].sort() }
  const faults = faultsOf(instance)
  if (faults.length > 0) throw new DiscoveryError('malformed', `The instance cannot be announced: ${faults.join('; ')}.`)
  return instance
}

/**
 * What somebody else announced, as far as it can be relied on: a string with what is wrong where it cannot. Times may be Date or ISO 8601.
 */
export function readSeen(given: unknown): Seen | string {
  if (typeof given !== 'object' || given === null) return 'it is no object'
  const row = given as Record<string, unknown>
  const text = (key: string): string => (typeof row[key] === 'string' ? row[key] : '')
  const instance: Instance = {
    id: text('id'),
    service: text('service'),
    url: text('url'),
    pid: Number(row['pid']),
    version: text('version'),
    state: text('state') as InstanceState,
    startedAt: timeOf(row['started_at']) ?? '',
    readyAt: timeOf(row['ready_at']) ?? null,
    capabilities: Array.isArray(row['capabilities']) ? [...new Set(row['capabilities'].map(String))].sort() : [],
  }
  const faults = faultsOf(instance)
  return faults.length > 0 ? faults.join('; ') : { instance, load: readLoad(row['load']) }
}

function faultsOf(instance: Instance): string[] {
  const { id, service, url, pid, version, state, startedAt, capabilities } = instance
  const faults: string[] = []
  const fault = (isFault: boolean, what: string) => isFault && faults.push(what)
  fault(!name.test(id) || id.length > discoveryBounds.nameMaxCharacters, 'id is no short name')
  fault(!serviceName.test(service) || service.length > discoveryBounds.nameMaxCharacters, 'service is no short name')
  fault(!isAddress(url), 'url is no http address without credentials')
  fault(!Number.isSafeInteger(pid) || pid < 0, 'pid is no process id')
  fault(version === '' || version.length > discoveryBounds.versionMaxCharacters || /[^\x21-\x7e]/.test(version), 'version is no short text')
  fault(!states.includes(state), 'state is unknown')
  fault(Number.isNaN(Date.parse(startedAt)), 'startedAt is no time')
  fault(capabilities.length > discoveryBounds.capabilitiesMax, `there are more than ${discoveryBounds.capabilitiesMax} capabilities`)
  fault(
    capabilities.some((one) => !capability.test(one) || one.length > discoveryBounds.capabilityMaxCharacters),
    'a capability is no short word in lower case',
  )
  return faults
}

function isAddress(text: string): boolean {
  if (text.length > discoveryBounds.urlMaxCharacters || !URL.canParse(text)) return false
  const url = new URL(text)
  return /^https?:$/.test(url.protocol) && url.username === '' && url.password === ''
}

function timeOf(value: unknown): string | undefined {
  const date = value instanceof Date ? value : typeof value === 'string' ? new Date(value) : undefined
  return date === undefined || Number.isNaN(date.getTime()) ? undefined : date.toISOString()
}

/** Undefined for what is no load. Figures beyond sense are brought to their discoveryBounds. */
function readLoad(given: unknown): Load | undefined {
  if (typeof given !== 'object' || given === null) return undefined
  const row = given as Record<string, unknown>
  const figure = (key: string, max: number): number => {
    const value = Number(row[key])
    return value > 0 ? Math.min(value, max) : 0
  }
  return {
    inFlight: figure('in_flight', 1e9),
    streams: figure('streams', 1e9),
    eventLoopUtilization: figure('event_loop_utilization', 1),
    eventLoopDelayMs: figure('event_loop_delay_ms', 1e9),
  }
}

/** A load in the form in which it is written down and shown. */
export function loadFields({ inFlight, streams, eventLoopUtilization, eventLoopDelayMs }: Load) {
  return {
    in_flight: inFlight,
    streams,
    event_loop_utilization: Math.round(eventLoopUtilization * 1_000) / 1_000,
    event_loop_delay_ms: Math.round(eventLoopDelayMs * 10) / 10,
  }
}

/** What an instance says of itself, without its address, which is whoever's who reached it. */
export function instanceFields({ id, service, pid, version, startedAt, readyAt, capabilities }: Omit<Instance, 'url' | 'state'>) {
  return { id, service, pid, version, started_at: startedAt, ready_at: readyAt, capabilities }
}

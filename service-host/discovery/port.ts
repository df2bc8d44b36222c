/** Where instances announce themselves and find each other. One port; PostgreSQL, DNS and Kubernetes behind it, held to one conformance suite (testing.ts). */

/** One live instance of a service, as others see it. */
export interface Instance {
  /** Unique to one run of one process. */
  id: string
  service: string
  url: string
  pid: number
  version: string
  state: InstanceState
  startedAt: string
  /** Since when it is ready, for a slow start of what is sent to it; null while it is not. */
  readyAt: string | null
  /** What it can do, in short words such as `websocket` or `rules:3`; sorted, each once. */
  capabilities: readonly string[]
}

export type InstanceState = 'starting' | 'ready' | 'draining'

/** What an instance says of itself when it announces itself. When it became ready is noted by whoever keeps the list. */
export type OwnInstance = Omit<Instance, 'readyAt' | 'capabilities'> & { capabilities?: readonly string[] | undefined }

/** How busy an instance is, as it said itself when it last renewed its lease. */
export interface Load {
  /** Requests begun and not yet answered; event streams and sockets are not among them. */
  inFlight: number
  /** Open sockets and event streams. */
  streams: number
  /** Share of the time since the last renewal in which its event loop had work, 0 to 1. */
  eventLoopUtilization: number
  /** Longest that its event loop was held up since the last renewal, in ms. */
  eventLoopDelayMs: number
}

export interface Discovery extends AsyncDisposable {
  /** After a withdrawal, and after a change of what an instance says of itself, others may not know for so long. */
  readonly noticeMs: number
  /**
   * Announces and keeps the lease alive until `withdraw`. `load` is asked at every renewal. Where the platform keeps the list (DNS,
   * Kubernetes) this says nothing: what the instance says of itself at `/health/ready` counts there.
   * Rejects with DiscoveryError `malformed` for what cannot be announced, and `id_taken` where another live process has the id.
   */
  announce(instance: OwnInstance, load?: () => Load): Promise<Announcement>
  /** Live instances now, of one service or of all, by service and id. */
  instances(service?: string): Promise<Instance[]>
  /**
   * Calls back at once with the live instances, and after every change of who is there and what they say they are, until `signal` aborts.
   * A load that changes is no change.
   */
  watch(onChange: (instances: Instance[]) => void, signal: AbortSignal): void
  /** What the instance said last of its load; where somebody watches, at most one renewal old. Undefined where it is not live, or has not said. Costs nothing. */
  loadOf(id: string): Load | undefined
}

export interface Announcement {
  setState(state: InstanceState): Promise<void>
  withdraw(): Promise<void>
}

/** At each bound, what goes beyond it is refused where it is announced, and left out where it is read. */
export const discoveryBounds = {
  /** Of one service. Those that started first are seen; the others are from when one of these leaves. */
  instancesMax: 256,
  nameMaxCharacters: 128,
  urlMaxCharacters: 512,
  versionMaxCharacters: 64,
  capabilitiesMax: 32,
  capabilityMaxCharacters: 64,
} as const

/**
 * How long a death takes to be known. Chosen so that a process that was stopped, or whose machine is gone, is out within 2 s of it: at most
 * `leaseMs` and the time of one look at the list, which is taken when the lease runs out. Five renewals fit into a lease, so that an event loop that is held up
 * for less than 1.4 s does not cost an instance its place; one that is held up for longer could not answer requests either, and is back with
 * its first renewal.
 */
export const discoveryLease: Lease = { leaseMs: 1_750, renewMs: 350, lostMs: 500 }

export interface Lease {
  /** An instance that has not renewed its lease for so long is dead. */
  leaseMs: number
  renewMs: number
  /** The same for one whose connection has ended, as that of a killed process does at once; a live one is connected again and renews sooner. */
  lostMs: number
}

export class DiscoveryError extends Error {
  override name = 'DiscoveryError'
  readonly code: 'malformed' | 'id_taken' | 'closed'

  constructor(code: DiscoveryError['code'], message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}

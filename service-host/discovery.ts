/** Where instances announce themselves and find each other. One port; PostgreSQL behind it (discovery-postgres.ts). */
export interface Instance {
  /** Unique to one run of one process. */
  id: string
  service: string
  url: string
  pid: number
  version: string
  state: 'starting' | 'ready' | 'draining'
  startedAt: string
}

export interface Discovery extends AsyncDisposable {
  /** Announces and keeps the lease alive until `withdraw`. A lease that is not renewed for 2 s is dead. */
  announce(instance: Instance): Promise<Announcement>
  /** Live instances now, of one service or of all. */
  instances(service?: string): Promise<Instance[]>
  /** Calls back at once with the live instances and after every change, until `signal` aborts. */
  watch(onChange: (instances: Instance[]) => void, signal: AbortSignal): void
}

export interface Announcement {
  setState(state: Instance['state']): Promise<void>
  withdraw(): Promise<void>
}

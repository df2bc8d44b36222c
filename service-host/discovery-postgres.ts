import pg from 'pg'
import type { Announcement, Discovery, Instance } from './discovery.ts'
import { discoverySchema } from './discovery-schema.ts'
import type { Logger } from './logger.ts'

/** A lease not renewed for this long is dead. */
export const leaseMs = 2_000
/** Renewal of own leases, and polling behind NOTIFY. */
const renewMs = 500
/** A statement that takes longer than this is given up with its connection. */
const statementTimeoutMs = 2_000
const reconnectMaxMs = 1_000
/** Rows of instances that died without withdrawing are deleted after this. */
const forgetMs = 60_000
const channel = 'discovery'

/** Creates the schema of discovery; idempotent. Run as the owner of the database. */
export async function installDiscovery(adminClient: { query(sql: string): Promise<unknown> }): Promise<void> {
  await adminClient.query(discoverySchema)
}

/**
 * Discovery over one connection to PostgreSQL. All times are the database's. While the database is away the instances known
 * last are still given; when it is back they are kept for one more lease, so that all have time to announce themselves again.
 * Rejects where the first connection fails.
 */
export async function openPostgresDiscovery(options: { connectionString: string; logger: Logger }): Promise<Discovery> {
  const discovery = new PostgresDiscovery(options.connectionString, options.logger)
  await discovery.open()
  return discovery
}

interface Row extends Omit<Instance, 'startedAt'> {
  started_at: Date
}

interface Watcher {
  onChange: (instances: Instance[]) => void
}

class PostgresDiscovery implements Discovery {
  readonly #connectionString: string
  readonly #logger: Logger
  readonly #announced = new Map<string, Instance>()
  readonly #watchers = new Set<Watcher>()
  #client: pg.Client | undefined
  #known: Instance[] = []
  #knownText = '[]'
  /** Set after a reconnection: until then, what was known before counts beside what the table says. */
  #graceUntilMs = 0
  #closed = false
  #wake: () => void = () => undefined
  #poked = false
  /** Callers that want a pass that began after they asked. */
  #waiting: { done: () => void; failed: (error: Error) => void }[] = []
  #loop: Promise<void> = Promise.resolve()

  constructor(connectionString: string, logger: Logger) {
    this.#connectionString = connectionString
    this.#logger = logger
  }

  async open(): Promise<void> {
    await this.#connect()
    await this.#pass()
    this.#loop = this.#run()
  }

  async announce(instance: Instance): Promise<Announcement> {
    this.#announced.set(instance.id, instance)
    await this.#nextPass(true)
    return {
      setState: async (state) => {
        const now = this.#announced.get(instance.id)
        if (!now || now.state === state) return
        this.#announced.set(instance.id, { ...now, state })
        await this.#nextPass(true)
      },
      withdraw: async () => {
        if (!this.#announced.delete(instance.id)) return
        await this.#forget([instance.id])
      },
    }
  }

  async instances(service?: string): Promise<Instance[]> {
    // While the database is away the last known are the best answer there is.
    if (this.#client) await this.#nextPass(false)
    return service === undefined ? [...this.#known] : this.#known.filter((instance) => instance.service === service)
  }

  watch(onChange: (instances: Instance[]) => void, signal: AbortSignal): void {
    if (signal.aborted) return
    const watcher = { onChange }
    this.#watchers.add(watcher)
    signal.addEventListener('abort', () => this.#watchers.delete(watcher), { once: true })
    onChange([...this.#known])
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    this.#watchers.clear()
    const ids = [...this.#announced.keys()]
    this.#announced.clear()
    this.#poke()
    await this.#loop
    await this.#forget(ids)
    const client = this.#client
    this.#client = undefined
    await client?.end().catch(() => undefined)
  }

  /** Resolves after a pass that began later than this call. `mustReach`: waits for the database however long it is away. */
  #nextPass(mustReach: boolean): Promise<void> {
    if (this.#closed) return mustReach ? Promise.reject(new Error('discovery is closed')) : Promise.resolve()
    return new Promise((resolve, reject) => {
      this.#waiting.push({ done: resolve, failed: mustReach ? reject : () => resolve() })
      if (!mustReach) setTimeout(resolve, statementTimeoutMs).unref()
      this.#poke()
    })
  }

  #poke(): void {
    this.#poked = true
    this.#wake()
  }

  async #run(): Promise<void> {
    let backoffMs = 50
    while (!this.#closed) {
      await this.#pause(this.#client ? renewMs : backoffMs)
      if (this.#closed) break
      try {
        if (!this.#client) {
          await this.#connect()
          this.#graceUntilMs = Date.now() + leaseMs
          this.#logger.info('discovery: the database is back')
        }
        const waiting = this.#waiting
        this.#waiting = []
        try {
          await this.#pass()
        } catch (error) {
          this.#waiting.push(...waiting)
          throw error
        }
        for (const { done } of waiting) done()
        backoffMs = 50
      } catch (error) {
        if (this.#client) this.#logger.warn({ err: error }, 'discovery: the database is away; going on with the instances known last')
        this.#drop()
        backoffMs = Math.min(backoffMs * 2, reconnectMaxMs)
      }
    }
    for (const { failed } of this.#waiting) failed(new Error('discovery is closed'))
    this.#waiting = []
  }

  /** Waits, or returns sooner when poked. Without a connection a poke does not shorten the backoff. */
  async #pause(durationMs: number): Promise<void> {
    if (this.#poked && this.#client) {
      this.#poked = false
      return
    }
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, durationMs)
      this.#wake = () => {
        if (!this.#client && !this.#closed) return
        clearTimeout(timer)
        resolve()
      }
    })
    this.#wake = () => undefined
    this.#poked = false
  }

  async #connect(): Promise<void> {
    const client = new pg.Client({
      connectionString: this.#connectionString,
      application_name: 'maru-discovery',
      connectionTimeoutMillis: statementTimeoutMs,
      query_timeout: statementTimeoutMs,
      keepAlive: true,
    })
    client.on('error', () => {
      // The loop meets the loss at its next statement; woken, it does so at once.
      if (this.#client === client) this.#poke()
    })
    client.on('notification', () => this.#poke())
    try {
      await client.connect()
      await client.query(`listen ${channel}`)
    } catch (error) {
      client.end().catch(() => undefined)
      throw error
    }
    this.#client = client
  }

  #drop(): void {
    const client = this.#client
    this.#client = undefined
    client?.end().catch(() => undefined)
  }

  /** Renews what is announced here, then reads who lives. */
  async #pass(): Promise<void> {
    const client = this.#client
    if (!client) throw new Error('not connected')
    const own = [...this.#announced.values()]
    if (own.length > 0)
      await client.query(renewal, [JSON.stringify(own.map((instance) => ({ ...instance, started_at: instance.startedAt })))])
    const { rows } = await client.query<Row>(
      `select id, service, url, pid, version, state, started_at from discovery.instances
       where renewed_at > clock_timestamp() - make_interval(secs => $1) order by service, id`,
      [leaseMs / 1_000],
    )
    const live = rows.map(({ started_at, ...row }): Instance => ({ ...row, startedAt: started_at.toISOString() }))
    this.#learn(Date.now() < this.#graceUntilMs ? withGrace(live, this.#known) : live)
  }

  #learn(instances: Instance[]): void {
    const text = JSON.stringify(instances)
    if (text === this.#knownText) return
    this.#knownText = text
    this.#known = instances
    for (const { onChange } of this.#watchers) onChange([...instances])
  }

  async #forget(ids: string[]): Promise<void> {
    if (ids.length === 0 || !this.#client) return
    await this.#client.query(withdrawal, [ids])
    this.#learn(this.#known.filter((instance) => !ids.includes(instance.id)))
  }
}

/** Known instances that have not announced themselves again yet stay beside those that have. */
function withGrace(live: Instance[], known: Instance[]): Instance[] {
  const seen = new Set(live.map((instance) => instance.id))
  const order = (a: Instance, b: Instance) => (a.service + a.id < b.service + b.id ? -1 : 1)
  return [...live, ...known.filter((instance) => !seen.has(instance.id))].sort(order)
}

/** Upserts own rows and notifies only where a row is new, was dead, or has another state. */
const renewal = `
with given as (
  select * from json_to_recordset($1::json)
    as given(id text, service text, url text, pid integer, version text, state text, started_at timestamptz)
), before as (
  select id, state from discovery.instances
  where id in (select id from given) and renewed_at > clock_timestamp() - interval '${leaseMs} milliseconds'
), forgotten as (
  delete from discovery.instances where renewed_at < clock_timestamp() - interval '${forgetMs} milliseconds'
    and id not in (select id from given)
), written as (
  insert into discovery.instances (id, service, url, pid, version, state, started_at, renewed_at)
  select id, service, url, pid, version, state, started_at, clock_timestamp() from given
  on conflict (id) do update set url = excluded.url, state = excluded.state, renewed_at = excluded.renewed_at
)
select pg_notify('${channel}', '')
where exists (select from given left join before using (id) where before.state is distinct from given.state)`

const withdrawal = `
with gone as (delete from discovery.instances where id = any($1) returning id)
select pg_notify('${channel}', '') where exists (select from gone)`

import { randomUUID } from 'node:crypto'
import pg from 'pg'
import type { Logger } from '../../logger.ts'
import { DiscoveryError, discoveryBounds, discoveryLease, type Announcement, type Discovery, type Instance, type Lease } from '../port.ts'
import type { Load, OwnInstance } from '../port.ts'
import { checkedAnnouncement, instanceFields, loadFields, readSeen, type Seen } from '../shape.ts'
import { LiveView } from '../view.ts'
import { channel, reading, renewal, renewalOfOne, withdrawal } from './statements.ts'

/** A statement that takes longer than this is given up with its connection. */
const statementTimeoutMs = 2_000
const reconnectMaxMs = 1_000
/** Passes are so far apart at least, however often others notify. */
const passGapMs = 20
/** A clock of the database that goes otherwise than ours by more than this between two looks was set. */
const clockJumpMs = 500
const faultsLoggedMax = 100
/** Where nobody watches or asks, the list is read so often, for the time when the database is away. */
const unwatchedReadMs = 2_000
/** The short renewal does not clear away rows of the dead: the full one is made so often at least. */
const fullRenewalMs = 10_000
/** Who watches is notified and has looked within this. */
const notifiedMs = 100

export interface PostgresDiscoveryOptions {
  connectionString: string
  logger: Logger
  /** The usual one where unset; others are for measuring, and for tests of the tests. */
  lease?: Lease
}

/**
 * Discovery over one connection to PostgreSQL. All times are the database's. While the database is away the instances known
 * last are still given; when it is back they are kept for one more lease, so that all have time to announce themselves again. The same after the
 * database has stalled, or its clock was set. Rejects where the first connection fails.
 */
export async function openPostgresDiscovery(options: PostgresDiscoveryOptions): Promise<Discovery> {
  const discovery = new PostgresDiscovery(options)
  await discovery.open()
  return discovery
}

interface Own {
  instance: Instance
  load: (() => Load) | undefined
  /** Whether it stands in the table as ours. */
  holds: boolean
}

/** What the full renewal last wrote, over which connection. */
interface Told {
  client: pg.Client
  instance: Instance
  atMs: number
}

class PostgresDiscovery implements Discovery {
  readonly noticeMs = notifiedMs
  readonly #connectionString: string
  readonly #logger: Logger
  readonly #lease: Lease
  /** Whose rows are whose: only this run of this process writes over what it wrote. */
  readonly #owner = randomUUID()
  readonly #announced = new Map<string, Own>()
  readonly #view = new LiveView()
  #client: pg.Client | undefined
  /** Which connection is notified of changes. */
  #listening: pg.Client | undefined
  /** Until then, by the clock of `performance.now`, what was known before counts beside what the table says. */
  #graceUntilMs = 0
  /** The database's clock less ours, at the last look. */
  #clockOffsetMs: number | undefined
  #nextExpiryMs = Infinity
  #readMs = -Infinity
  #told: Told | undefined
  #passBeganMs = -Infinity
  #closed = false
  #wake: () => void = () => undefined
  #poked = false
  /** Callers that want a pass that began after they asked. */
  #waiting: { done: () => void; failed: (error: Error) => void }[] = []
  #loop: Promise<void> = Promise.resolve()
  /** Rows that were said to be malformed, or too many; told once each. */
  readonly #toldFaults = new Set<string>()

  constructor({ connectionString, logger, lease = discoveryLease }: PostgresDiscoveryOptions) {
    this.#connectionString = connectionString
    this.#logger = logger
    this.#lease = lease
  }

  async open(): Promise<void> {
    await this.#connect()
    await this.#pass(true)
    this.#loop = this.#run()
  }

  async announce(given: OwnInstance, load?: () => Load): Promise<Announcement> {
    const { id } = given
    const own: Own = { instance: checkedAnnouncement(given), load, holds: true }
    if (this.#announced.has(id)) throw new DiscoveryError('id_taken', `${id} is announced here already.`)
    this.#announced.set(id, own)
    await this.#nextPass(true)
    if (!own.holds) {
      this.#announced.delete(id)
      throw new DiscoveryError('id_taken', `Another live process is announced as ${id}.`)
    }
    return {
      setState: async (state) => {
        if (this.#announced.get(id) !== own || own.instance.state === state) return
        own.instance = { ...own.instance, state }
        await this.#nextPass(true)
      },
      withdraw: async () => {
        if (this.#announced.get(id) !== own) return
        this.#announced.delete(id)
        await this.#forget([id])
      },
    }
  }

  async instances(service?: string): Promise<Instance[]> {
    // While the database is away the last known are the best answer there is.
    if (this.#client) await this.#nextPass(false)
    return this.#view.of(service)
  }

  watch(onChange: (instances: Instance[]) => void, signal: AbortSignal): void {
    this.#view.watch(onChange, signal)
    const client = this.#client
    if (!client || this.#listening === client || !this.#view.isWatched) return
    // What changed before it listened is seen by the pass after. One that fails has lost its connection; the next will listen.
    void this.#listen(client).then(
      () => this.#poke(),
      () => this.#poke(),
    )
  }

  loadOf(id: string): Load | undefined {
    return this.#view.loadOf(id)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    this.#view.unwatchAll()
    const ids = [...this.#announced.keys()]
    this.#announced.clear()
    this.#poke()
    await this.#loop
    try {
      await this.#forget(ids)
    } catch (error) {
      this.#logger.warn({ err: error }, 'discovery: could not withdraw; the lease runs out by itself')
    }
    const client = this.#client
    this.#client = undefined
    await client?.end().catch(() => undefined)
  }

  /** Resolves after a pass that began later than this call. `mustReach`: waits for the database however long it is away. */
  #nextPass(mustReach: boolean): Promise<void> {
    if (this.#closed) return mustReach ? Promise.reject(new DiscoveryError('closed', 'Discovery is closed.')) : Promise.resolve()
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
      await this.#pause(this.#client ? Math.min(this.#lease.renewMs, this.#nextExpiryMs) : backoffMs)
      if (this.#closed) break
      try {
        if (!this.#client) {
          await this.#connect()
          this.#beginGrace()
          this.#logger.info('discovery: the database is back')
        }
        const waiting = this.#waiting
        this.#waiting = []
        try {
          await this.#pass(waiting.length > 0)
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
    for (const { failed } of this.#waiting) failed(new DiscoveryError('closed', 'Discovery is closed.'))
    this.#waiting = []
  }

  /** Waits, or until poked, but so long that passes are apart. Without a connection a poke does not shorten the backoff. */
  async #pause(durationMs: number): Promise<void> {
    const gapMs = this.#client ? this.#passBeganMs + passGapMs - performance.now() : 0
    if (gapMs > 0) await new Promise((resolve) => setTimeout(resolve, gapMs))
    if (!(this.#poked && this.#client)) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, Math.max(0, durationMs - Math.max(0, gapMs)))
        this.#wake = () => {
          if (!this.#client && !this.#closed) return
          clearTimeout(timer)
          resolve()
        }
        if (this.#closed) this.#wake()
      })
      this.#wake = () => undefined
    }
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
      if (this.#view.isWatched) await this.#listen(client)
    } catch (error) {
      client.end().catch(() => undefined)
      throw error
    }
    this.#client = client
  }

  /**
   * Only where somebody watches: PostgreSQL wakes whoever listens to anything for every notification in the database, and those of the log are
   * many. Who asks now and then is answered from a look of its own.
   */
  async #listen(client: pg.Client): Promise<void> {
    this.#listening = client
    await client.query(`listen ${channel}`)
  }

  #drop(): void {
    const client = this.#client
    this.#client = undefined
    client?.end().catch(() => undefined)
  }

  /** Renews what is announced here, then reads who lives, where somebody wants to know. */
  async #pass(isAsked: boolean): Promise<void> {
    const client = this.#client
    if (!client) throw new Error('not connected')
    const { leaseMs, renewMs, lostMs } = this.#lease
    const beganMs = performance.now()
    this.#passBeganMs = beganMs
    await this.#renew(client)
    if (!isAsked && !this.#view.isWatched && beganMs - this.#readMs < unwatchedReadMs) {
      this.#nextExpiryMs = Infinity
      if (performance.now() - beganMs > leaseMs - 2 * renewMs) this.#beginGrace()
      return
    }
    this.#readMs = beganMs
    const { rows } = await client.query<Row>({ name: 'reading', text: reading, values: [leaseMs, lostMs] })
    const endedMs = performance.now()
    // Who was slow to answer us was slow to take the renewals of the others too.
    if (endedMs - beganMs > leaseMs - 2 * renewMs) this.#beginGrace()
    this.#watchClock(rows[0]?.now_ms, endedMs)
    this.#nextExpiryMs = rows.reduce((least, row) => Math.min(least, row.expires_ms + 1), Infinity)
    const seen = rows.flatMap((row) => this.#read(row))
    this.#view.learn(endedMs < this.#graceUntilMs ? [...seen, ...this.#missing(seen)] : seen)
  }

  async #renew(client: pg.Client): Promise<void> {
    const own = [...this.#announced.values()]
    if (own.length === 0) return
    const { leaseMs, lostMs } = this.#lease
    if (await this.#renewAsTold(client, own)) return
    const given = own.map(({ instance, load }) => ({
      ...instanceFields(instance),
      url: instance.url,
      state: instance.state,
      load: load && loadFields(load()),
    }))
    const held = await client
      .query<{ ids: string[] }>({ name: 'renewal', text: renewal, values: [JSON.stringify(given), this.#owner, leaseMs, lostMs] })
      .then(({ rows }) => rows[0]?.ids ?? [])
      .catch((error: unknown): string[] => {
        // The row of another service stands there, which row security keeps this role from.
        if ((error as { code?: string }).code === insufficientPrivilege) return []
        throw error
      })
    for (const each of own) {
      const holds = held.includes(each.instance.id)
      if (each.holds && !holds)
        this.#logger.error({ instance: each.instance.id }, 'discovery: another live process is announced by this id')
      each.holds = holds
    }
    const [only] = own
    this.#told = own.length === 1 && only?.holds ? { client, instance: only.instance, atMs: performance.now() } : undefined
  }

  /** The short renewal of one that has nothing new to say of itself; false where it takes the full one. */
  async #renewAsTold(client: pg.Client, [own, ...others]: readonly Own[]): Promise<boolean> {
    const told = this.#told
    if (!own || others.length > 0 || told?.client !== client || told.instance !== own.instance) return false
    if (performance.now() - told.atMs > fullRenewalMs) return false
    const load = own.load && loadFields(own.load())
    const { leaseMs, lostMs } = this.#lease
    const values = [own.instance.id, load === undefined ? null : JSON.stringify(load), this.#owner, leaseMs, lostMs]
    const { rowCount } = await client.query({ name: 'renewal of one', text: renewalOfOne, values })
    return rowCount === 1
  }

  #read(row: Row): Seen[] {
    if (Number(row.place) > discoveryBounds.instancesMax) {
      this.#tellOnce(
        `too many ${row.service}`,
        { service: row.service, max: discoveryBounds.instancesMax },
        'discovery: more instances than can be seen',
      )
      return []
    }
    const seen = readSeen(row)
    if (typeof seen !== 'string') return [seen]
    this.#tellOnce(
      row.id,
      { instance: row.id.slice(0, discoveryBounds.nameMaxCharacters), fault: seen },
      'discovery: an announcement is malformed and left out',
    )
    return []
  }

  #tellOnce(key: string, fields: object, message: string): void {
    if (this.#toldFaults.has(key) || this.#toldFaults.size >= faultsLoggedMax) return
    this.#toldFaults.add(key)
    this.#logger.error(fields, message)
  }

  #watchClock(nowMs: number | undefined, oursMs: number): void {
    if (nowMs === undefined) return
    const offsetMs = nowMs - oursMs
    if (this.#clockOffsetMs !== undefined && Math.abs(offsetMs - this.#clockOffsetMs) > clockJumpMs) this.#beginGrace()
    this.#clockOffsetMs = offsetMs
  }

  #beginGrace(): void {
    this.#graceUntilMs = performance.now() + this.#lease.leaseMs
  }

  /** Known before, and not announced again yet. */
  #missing(seen: readonly Seen[]): Seen[] {
    const ids = new Set(seen.map(({ instance }) => instance.id))
    return this.#view.seen.filter(({ instance }) => !ids.has(instance.id))
  }

  async #forget(ids: string[]): Promise<void> {
    if (ids.length === 0 || !this.#client) return
    await this.#client.query(withdrawal, [ids, this.#owner])
    this.#view.learn(this.#view.seen.filter(({ instance }) => !ids.includes(instance.id)))
  }
}

const insufficientPrivilege = '42501'

interface Row {
  id: string
  service: string
  /** Counted from 1, among the live ones of its service. A bigint, which comes as text. */
  place: string
  expires_ms: number
  now_ms: number
}

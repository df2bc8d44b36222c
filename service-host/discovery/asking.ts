import { Agent, request } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Logger } from '../logger.ts'
import { discoveryBounds, type InstanceState, type Lease } from './port.ts'
import { readSeen, type Seen } from './shape.ts'
import type { LiveView } from './view.ts'

/** Where the platform says that an instance of a service is. */
export interface Place {
  service: string
  /** `http://10.0.0.7:8000` */
  url: string
  /** What the platform makes of it; `ready` where it says nothing. An instance is not seen as more ready than this. */
  state: InstanceState
}

const answerMaxBytes = 16 * 1_024
/** An address at which nobody ever answered has this long for its answer. */
const firstAnswerMs = 1_000
/** After a connection that was refused or broken off the next question comes this soon. */
const askAgainMs = 100
/** A time limit met later than this after it fell due says that we were held up ourselves, and nothing of the other. */
const heldUpMs = 250
const faultsLoggedMax = 100

/**
 * Asks the instances at places that a platform names what they are, whether they are ready and how busy: a platform knows where instances are, and what their health
 * was a while ago. One that does not answer for a lease is dead. What is at a place must say that it is an instance of that service, or it is left out.
 */
export class AskedInstances implements AsyncDisposable {
  readonly #view: LiveView
  readonly #logger: Logger
  readonly #lease: Lease
  readonly #byService = new Map<string, Map<string, Inquiry>>()
  readonly #toldFaults = new Set<string>()

  constructor(options: { view: LiveView; logger: Logger; lease: Lease }) {
    this.#view = options.view
    this.#logger = options.logger
    this.#lease = options.lease
  }

  /** Takes over where the instances of a service are now. Resolves when each that is new was asked once. */
  async setPlaces(service: string, places: readonly Place[]): Promise<void> {
    const before = this.#byService.get(service) ?? new Map<string, Inquiry>()
    const now = new Map<string, Inquiry>()
    const added: Promise<void>[] = []
    const within = places.slice(0, discoveryBounds.instancesMax)
    if (within.length < places.length) this.#fault(service, `more than ${discoveryBounds.instancesMax} addresses`)
    for (const place of within) {
      let inquiry = before.get(place.url) ?? now.get(place.url)
      if (!inquiry) {
        inquiry = new Inquiry(place, this.#lease, {
          changed: () => this.#learn(),
          fault: (what) => this.#fault(place.url, what),
        })
        added.push(inquiry.asked)
      }
      inquiry.platformState = place.state
      now.set(place.url, inquiry)
    }
    this.#byService.set(service, now)
    for (const [url, inquiry] of before) if (!now.has(url)) inquiry.end()
    this.#learn()
    await Promise.all(added)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const inquiries = [...this.#byService.values()].flatMap((ofService) => [...ofService.values()])
    this.#byService.clear()
    for (const inquiry of inquiries) inquiry.end()
    await Promise.all(inquiries.map(({ done }) => done))
  }

  #learn(): void {
    const seen: Seen[] = []
    for (const ofService of this.#byService.values()) for (const inquiry of ofService.values()) if (inquiry.seen) seen.push(inquiry.seen)
    this.#view.learn(seen)
  }

  #fault(where: string, fault: string): void {
    const key = `${where} ${fault}`
    if (this.#toldFaults.has(key) || this.#toldFaults.size >= faultsLoggedMax) return
    this.#toldFaults.add(key)
    this.#logger.error({ where, fault }, 'discovery: what the platform names is left out')
  }
}

interface InquiryObserver {
  changed(): void
  fault(what: string): void
}

/** Asks at one place, again and again, until it is ended. */
class Inquiry {
  platformState: InstanceState = 'ready'
  /** Resolves when it was asked once, with or without an answer. */
  readonly asked: Promise<void>
  readonly done: Promise<void>
  readonly #place: Place
  readonly #lease: Lease
  readonly #observer: InquiryObserver
  readonly #ended = new AbortController()
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 1 })
  #seen: Seen | undefined
  #answeredMs = -Infinity

  constructor(place: Place, lease: Lease, observer: InquiryObserver) {
    this.#place = place
    this.#lease = lease
    this.#observer = observer
    this.asked = this.#ask()
    this.done = this.asked.then(() => this.#goOn())
  }

  get seen(): Seen | undefined {
    if (!this.#seen) return undefined
    const { instance, load } = this.#seen
    return { instance: { ...instance, state: lessReady(instance.state, this.platformState) }, load }
  }

  end(): void {
    this.#ended.abort()
    this.#agent.destroy()
  }

  async #goOn(): Promise<void> {
    const signal = this.#ended.signal
    while (!signal.aborted) {
      const answered = this.#seen && performance.now() - this.#answeredMs < this.#lease.renewMs
      await sleep(answered || !this.#seen ? this.#lease.renewMs : askAgainMs, undefined, { signal }).catch(() => undefined)
      if (!signal.aborted) await this.#ask()
    }
  }

  async #ask(): Promise<void> {
    const { leaseMs, lostMs } = this.#lease
    const beganMs = performance.now()
    // It need not be waited for longer than its last answer counts.
    const timeoutMs = this.#seen ? Math.ceil(Math.max(askAgainMs, Math.min(leaseMs, this.#answeredMs + leaseMs - beganMs))) : firstAnswerMs
    try {
      const seen = await this.#answer(timeoutMs)
      this.#answeredMs = performance.now()
      this.#seen = seen
    } catch (error) {
      const nowMs = performance.now()
      const isTimeout = (error as Error).name === 'TimeoutError'
      if (isTimeout && nowMs - beganMs - timeoutMs > heldUpMs) return
      if (nowMs - this.#answeredMs < (isTimeout ? leaseMs : lostMs)) return
      this.#seen = undefined
    }
    if (!this.#ended.signal.aborted) this.#observer.changed()
  }

  /** What answers at the place. Undefined where that is none of ours; rejects where nothing answers. */
  async #answer(timeoutMs: number): Promise<Seen | undefined> {
    const timeout = AbortSignal.timeout(timeoutMs)
    const signal = AbortSignal.any([timeout, this.#ended.signal])
    let answer: { status: number; text: string }
    try {
      answer = await get(`${this.#place.url}/health/ready`, this.#agent, signal)
    } catch (error) {
      throw timeout.aborted ? timeout.reason : error
    }
    const seen = readSeen({ ...instanceOf(answer.text), url: this.#place.url })
    if (typeof seen === 'string') return this.#unfit(`what answers there does not say what it is: ${seen}`)
    if (seen.instance.service !== this.#place.service) return this.#unfit(`an instance of ${seen.instance.service} answers there`)
    // Who says that it cannot take requests is believed, whatever else it says.
    const state = answer.status === 200 ? seen.instance.state : lessReady(seen.instance.state, 'starting')
    return { ...seen, instance: { ...seen.instance, state } }
  }

  #unfit(fault: string): undefined {
    this.#observer.fault(fault)
  }
}

function lessReady(a: InstanceState, b: InstanceState): InstanceState {
  const order: readonly InstanceState[] = ['ready', 'starting', 'draining']
  return order.indexOf(a) > order.indexOf(b) ? a : b
}

function instanceOf(text: string): object {
  try {
    const { instance } = JSON.parse(text) as { instance?: unknown }
    return typeof instance === 'object' && instance !== null ? instance : {}
  } catch {
    // No JSON: then it says nothing of itself, which is told where it is read.
    return {}
  }
}

function get(url: string, agent: Agent, signal: AbortSignal): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    const call = request(url, { agent, signal, headers: { accept: 'application/json' } }, (answer) => {
      let text = ''
      answer.setEncoding('utf8')
      answer.on('data', (chunk: string) => {
        text += chunk
        if (text.length > answerMaxBytes) answer.destroy(new Error(`the answer is longer than ${answerMaxBytes} bytes`))
      })
      answer.on('end', () => resolve({ status: answer.statusCode ?? 0, text }))
      answer.on('error', reject)
    })
    call.on('error', reject)
    call.end()
  })
}

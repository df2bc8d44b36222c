import type { PlainDispatch, PlainHandler } from '../plain-pool.ts'
import { Line, type TrunkBounds } from './line.ts'

const sweepMaxMs = 1_000
const reconnectMs = { first: 100, max: 2_000 }

/** A trunk to one instance; it is kept open until it is closed, and made anew where it breaks. */
export class Trunk {
  readonly #host: string
  readonly #hostname: string
  readonly #port: number
  readonly #bounds: TrunkBounds
  readonly #elsewhere: (request: PlainDispatch, handler: PlainHandler) => void
  readonly #sweeping: NodeJS.Timeout
  /** With those that only finish what they took. */
  readonly #lines = new Set<Line>()
  /** That takes requests, or is about to. */
  #line: Line | undefined
  #reconnecting: NodeJS.Timeout | undefined
  #delayMs = reconnectMs.first
  #isClosing = false

  /** `elsewhere` takes what the instance does not answer on a trunk. */
  constructor(origin: URL, bounds: TrunkBounds, elsewhere: (request: PlainDispatch, handler: PlainHandler) => void) {
    this.#host = origin.host
    this.#hostname = origin.hostname.replace(/^\[|\]$/g, '')
    this.#port = Number(origin.port === '' ? 80 : origin.port)
    this.#bounds = bounds
    this.#elsewhere = elsewhere
    this.#sweeping = setInterval(() => this.#sweep(), Math.min(sweepMaxMs, Math.max(20, bounds.timeoutMs / 4)))
    this.#sweeping.unref()
    this.#open()
  }

  get isOpen(): boolean {
    return this.#line?.isOpen === true
  }

  /** Sends a request; false where it cannot now, and nothing was done. */
  dispatch(request: PlainDispatch, handler: PlainHandler): boolean {
    return !this.#isClosing && this.#line !== undefined && this.#line.dispatch(request, handler)
  }

  /** Takes no more requests; those under way are answered. */
  close(): void {
    if (this.#isClosing) return
    this.#isClosing = true
    clearTimeout(this.#reconnecting)
    this.#line?.leave()
    if (this.#lines.size === 0) clearInterval(this.#sweeping)
  }

  destroy(): void {
    this.close()
    for (const line of this.#lines) line.destroy(new Error('the gateway is stopping'))
  }

  #sweep(): void {
    for (const line of this.#lines) line.sweep()
  }

  #open(): void {
    const line = new Line({
      hostname: this.#hostname,
      port: this.#port,
      host: this.#host,
      bounds: this.#bounds,
      elsewhere: this.#elsewhere,
      opened: () => (this.#delayMs = reconnectMs.first),
      over: () => {
        this.#line = undefined
        if (!this.#isClosing) this.#openLater()
      },
      closed: () => {
        this.#lines.delete(line)
        if (this.#isClosing && this.#lines.size === 0) clearInterval(this.#sweeping)
      },
    })
    this.#line = line
    this.#lines.add(line)
  }

  #openLater(): void {
    this.#reconnecting = setTimeout(() => this.#open(), this.#delayMs)
    this.#reconnecting.unref()
    this.#delayMs = Math.min(this.#delayMs * 2, reconnectMs.max)
  }
}

import type { Dispatcher } from 'undici'
import { requestPlaces } from '@maru/service-host'
import type { PlainDispatch, PlainHandler } from '../plain-pool.ts'

/** What a request is on its way by. */
export interface PendingHost {
  /** Nobody waits for its answer any more. */
  cancel(pending: Pending, error: Error): void
  /** The next part of an answer may come. */
  askForMore(id: number): void
}

/** A request on a line. */
export class Pending implements Dispatcher.DispatchController {
  readonly request: PlainDispatch
  readonly handler: PlainHandler
  readonly #line: PendingHost
  /** Negative until it is sent. */
  id = -1
  sinceMs = 0
  hasHead = false
  /** Bytes of its answer still to come. */
  leftBytes = 0
  /** The instance waits to be asked for the next part. */
  isMore = false
  aborted = false
  paused = false
  reason: Error | null = null
  readonly rawHeaders = null
  readonly rawTrailers = null

  constructor(line: PendingHost, request: PlainDispatch, handler: PlainHandler) {
    this.#line = line
    this.request = request
    this.handler = handler
  }

  abort(reason: Error): void {
    if (this.aborted) return
    this.aborted = true
    this.reason = reason
    if (this.id < 0) this.handler.onResponseError(this, reason)
    else this.#line.cancel(this, reason)
  }

  pause(): void {
    this.paused = true
  }

  resume(): void {
    this.paused = false
    this.sinceMs = performance.now()
    if (!this.isMore) return
    this.isMore = false
    this.#line.askForMore(this.id)
  }
}

let rounds = 0

/** Of a request at a place among those under way: what comes for one that was there before it is told from what comes for this one. */
export function nextId(place: number): number {
  rounds = (rounds + 1) % (2 ** 32 / requestPlaces)
  return rounds * requestPlaces + place
}

export function placeOf(id: number): number {
  return id % requestPlaces
}

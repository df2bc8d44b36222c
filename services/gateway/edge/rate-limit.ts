import { BoundedMap } from '@maru/service-host'

export interface RateBounds {
  /** Sustained. */
  requestsPerSecond: number
  /** At once, after a rest. */
  burst: number
  /** Callers remembered; beyond it the one seen first is forgotten, and so starts with a full bucket. */
  callersMax: number
}

export interface RateVerdict {
  allowed: boolean
  /** RateLimit-Limit, RateLimit-Remaining, RateLimit-Reset, as a flat list of names and values. */
  headers: string[]
  retryAfterSeconds: number
}

interface Bucket {
  tokens: number
  atMs: number
}

/** A token bucket for each caller: a user, or the address of who sends no valid token. */
export class RateLimiter {
  readonly #bounds: RateBounds
  readonly #now: () => number
  readonly #buckets: BoundedMap<string, Bucket>
  readonly #limitText: string

  constructor(bounds: RateBounds, now: () => number = () => performance.now()) {
    this.#bounds = bounds
    this.#buckets = new BoundedMap(bounds.callersMax)
    this.#now = now
    this.#limitText = String(bounds.burst)
  }

  get callers(): number {
    return this.#buckets.size
  }

  take(caller: string): RateVerdict {
    const { requestsPerSecond, burst } = this.#bounds
    const now = this.#now()
    const bucket = this.#bucketOf(caller, now)
    bucket.tokens = Math.min(burst, bucket.tokens + ((now - bucket.atMs) / 1_000) * requestsPerSecond)
    bucket.atMs = now
    const allowed = bucket.tokens >= 1
    if (allowed) bucket.tokens -= 1
    const resetSeconds = Math.ceil((burst - bucket.tokens) / requestsPerSecond)
    return {
      allowed,
      headers: [
        'ratelimit-limit',
        this.#limitText,
        'ratelimit-remaining',
        String(Math.floor(bucket.tokens)),
        'ratelimit-reset',
        String(resetSeconds),
      ],
      retryAfterSeconds: allowed ? 0 : Math.max(1, Math.ceil((1 - bucket.tokens) / requestsPerSecond)),
    }
  }

  #bucketOf(caller: string, now: number): Bucket {
    const known = this.#buckets.get(caller)
    if (known) return known
    const bucket = { tokens: this.#bounds.burst, atMs: now }
    this.#buckets.set(caller, bucket)
    return bucket
  }
}

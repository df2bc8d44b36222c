import type { HeaderText } from '../front/header-text.ts'

export interface RateBounds {
  /** Sustained. */
  requestsPerSecond: number
  /** At once, after a rest. */
  burst: number
  /** Callers remembered; beyond it see `RateLimiter`. */
  callersMax: number
}

export interface RateVerdict {
  allowed: boolean
  /** Requests left at once. */
  remaining: number
  /** RateLimit-Policy, RateLimit-Limit, RateLimit-Remaining, RateLimit-Reset. */
  headers: HeaderText
  retryAfterSeconds: number
}

interface Bucket {
  caller: string
  tokens: number
  atMs: number
}

/** Places looked at for one that may be given to a newcomer. */
const looksMax = 8

/**
 * A token bucket for each caller. A bucket that has filled up again says as much as none, so its place may be given to a newcomer; one that has not is kept
 * whoever comes, or a flood of new callers would wipe out what the limits know. Newcomers for whom no place is found share one bucket.
 */
export class RateLimiter {
  readonly #bounds: RateBounds
  readonly #now: () => number
  readonly #buckets = new Map<string, Bucket>()
  readonly #ring: Bucket[] = []
  readonly #shared: Bucket
  /** Up to the value of RateLimit-Remaining. */
  readonly #policy: HeaderText
  #next = 0

  /** `name`: what the limit is called in RateLimit-Policy. */
  constructor(name: string, bounds: RateBounds, now: () => number = () => performance.now()) {
    this.#bounds = bounds
    this.#now = now
    this.#shared = { caller: '', tokens: bounds.burst, atMs: now() }
    const policy = `"${name}";q=${bounds.burst};w=${Math.max(1, Math.ceil(bounds.burst / bounds.requestsPerSecond))}`
    this.#policy = `ratelimit-policy: ${policy}\r\nratelimit-limit: ${bounds.burst}\r\nratelimit-remaining: `
  }

  get callers(): number {
    return this.#buckets.size
  }

  take(caller: string): RateVerdict {
    const bucket = this.#filled(caller)
    const allowed = bucket.tokens >= 1
    if (allowed) bucket.tokens -= 1
    return this.#verdict(bucket, allowed)
  }

  /** As `take`, but says something only where it refuses, which spares the texts of a limit that is seldom met. */
  spend(caller: string): RateVerdict | undefined {
    const bucket = this.#filled(caller)
    if (bucket.tokens < 1) return this.#verdict(bucket, false)
    bucket.tokens -= 1
    return undefined
  }

  /** Undefined where `caller` has a request left, without taking it; else the verdict. */
  refusal(caller: string): RateVerdict | undefined {
    const bucket = this.#buckets.get(caller)
    if (bucket === undefined) return undefined
    this.#fill(bucket)
    return bucket.tokens >= 1 ? undefined : this.#verdict(bucket, false)
  }

  #verdict(bucket: Bucket, allowed: boolean): RateVerdict {
    const { requestsPerSecond, burst } = this.#bounds
    const remaining = Math.floor(bucket.tokens)
    return {
      allowed,
      remaining,
      headers: `${this.#policy}${remaining}\r\nratelimit-reset: ${Math.ceil((burst - bucket.tokens) / requestsPerSecond)}\r\n`,
      retryAfterSeconds: allowed ? 0 : Math.max(1, Math.ceil((1 - bucket.tokens) / requestsPerSecond)),
    }
  }

  #filled(caller: string): Bucket {
    const bucket = this.#buckets.get(caller) ?? this.#admit(caller)
    this.#fill(bucket)
    return bucket
  }

  #fill(bucket: Bucket): void {
    const now = this.#now()
    bucket.tokens = this.#tokensAt(bucket, now)
    bucket.atMs = now
  }

  #tokensAt({ tokens, atMs }: Bucket, now: number): number {
    const { requestsPerSecond, burst } = this.#bounds
    return Math.min(burst, tokens + ((now - atMs) / 1_000) * requestsPerSecond)
  }

  #admit(caller: string): Bucket {
    const { burst, callersMax } = this.#bounds
    const now = this.#now()
    const bucket = { caller, tokens: burst, atMs: now }
    if (this.#ring.length < callersMax) this.#ring.push(bucket)
    else {
      const at = this.#restedPlace(now)
      if (at === undefined) return this.#shared
      this.#buckets.delete(this.#ring[at]!.caller)
      this.#ring[at] = bucket
    }
    this.#buckets.set(caller, bucket)
    return bucket
  }

  #restedPlace(now: number): number | undefined {
    for (let look = 0; look < Math.min(looksMax, this.#ring.length); look += 1) {
      const at = this.#next
      this.#next = (at + 1) % this.#ring.length
      if (this.#tokensAt(this.#ring[at]!, now) >= this.#bounds.burst) return at
    }
    return undefined
  }
}

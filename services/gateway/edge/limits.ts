import { Problem, type Identity } from '@maru/service-host'
import { addressGroup } from './client-address.ts'
import type { HeaderText } from '../front/header-text.ts'
import { RateLimiter, type RateVerdict } from './rate-limit.ts'

export interface LimitSettings {
  /** Of one user, by whatever tokens and keys. */
  user: { perSecond: number; burst: number }
  /** Of one API key. */
  key: { perSecond: number; burst: number }
  /** Of one address, for those who have shown no valid token. */
  anonymous: { perSecond: number; burst: number }
  /** Of one address, whoever is there. */
  address: { perSecond: number; burst: number }
  /** Of one address: tokens and signatures that are not valid, logins, and whatever else tries a secret. */
  attempts: { perSecond: number; burst: number }
}

/** What of a call the limits look at, and where they say what they found. */
export interface LimitedCall {
  readonly address: string
  /** Headers for its answer. */
  base: HeaderText
  /** Whether `base` has its RateLimit headers. */
  limited: boolean
}

const callersMax = 50_000

/** Who may ask how often. Each kind of caller has a table of its own, so that strangers never touch what is known of users. */
export class Limits {
  readonly #user: RateLimiter
  readonly #key: RateLimiter
  readonly #anonymous: RateLimiter
  readonly #address: RateLimiter
  readonly #attempts: RateLimiter

  constructor(settings: LimitSettings) {
    const limiter = (name: keyof LimitSettings) =>
      new RateLimiter(name, { requestsPerSecond: settings[name].perSecond, burst: settings[name].burst, callersMax })
    this.#user = limiter('user')
    this.#key = limiter('key')
    this.#anonymous = limiter('anonymous')
    this.#address = limiter('address')
    this.#attempts = limiter('attempts')
  }

  /** Counts a request against its address, before anything else of it is looked at. Throws Problem `rate_limited`. */
  countAddress(call: LimitedCall): void {
    const verdict = this.#address.spend(addressGroup(call.address))
    if (verdict) refuse(call, verdict)
  }

  /** Counts it against its caller: the user and the API key, or the address of who is neither. Throws Problem `rate_limited`. */
  count(call: LimitedCall, identity: Identity | undefined): void {
    let verdict: RateVerdict
    if (identity === undefined) verdict = this.#anonymous.take(addressGroup(call.address))
    else {
      verdict = this.#user.take(identity.userId)
      if (identity.key && verdict.allowed) {
        const ofKey = this.#key.take(identity.key.id)
        if (!ofKey.allowed || ofKey.remaining < verdict.remaining) verdict = ofKey
      }
    }
    if (!verdict.allowed) refuse(call, verdict)
    call.base += verdict.headers
    call.limited = true
  }

  /** Before a secret is looked at: refuses an address from which too many wrong ones came. Throws Problem `rate_limited`. */
  expectAttempt(call: LimitedCall): void {
    const verdict = this.#attempts.refusal(addressGroup(call.address))
    if (verdict) refuse(call, verdict)
  }

  /** A secret was wrong, or is about to be tried by a service. Throws Problem `rate_limited`. */
  countAttempt(call: LimitedCall): void {
    const verdict = this.#attempts.spend(addressGroup(call.address))
    if (verdict) refuse(call, verdict)
  }

  /** For answers to what is not, or not yet, known to be a request of anybody: its RateLimit headers. */
  headersOf(address: string): HeaderText {
    return this.#anonymous.take(addressGroup(address)).headers
  }
}

function refuse(call: LimitedCall, verdict: RateVerdict): never {
  if (!call.limited) call.base += verdict.headers
  call.limited = true
  throw new Problem('rate_limited', undefined, { retryAfterSeconds: verdict.retryAfterSeconds })
}

import type { BlockList } from 'node:net'
import { apiKeysPath, BoundedMap, gatewayAuthorization, Problem } from '@maru/service-host'
import type { Discovery, HandedOutKey, Identity, Logger, TokenVerifier } from '@maru/service-host'
import { isTrusted, parseTrusted } from './client-address.ts'
import { expectInTime, isSignedBy, type SignedRequest } from './signed-request.ts'

export interface ApiKeysOptions {
  discovery: Discovery
  verifier: TokenVerifier
  logger: Logger
  /** By which the user service knows the gateway; undefined: no API keys here. */
  gatewayKey: Buffer | undefined
}

/** Who signed a request, and what says so to the services. */
export interface SignedCaller {
  identity: Identity
  /** Authorization for a request, and for the upgrade to a socket. */
  authorization: string
  socketAuthorization: string
}

interface KnownKey extends SignedCaller {
  secret: string
  allowed: BlockList | undefined
  /** When it must have been asked for again: ms since 1970. */
  endsAtMs: number
  askedAtMs: number
}

const keysMax = 10_000
/** Signatures that were taken are remembered, newest first to stay: at 5,000 signed changes a second for 20 s. */
const signaturesMax = 100_000
/** An id that is none is not asked for again within this. */
const unknownMs = 5_000
/** Questions to the user service at once; beyond it `overloaded`. */
const askingMax = 64
/** A key in use is asked for anew in this time before its token ends, beside the requests, and again where that failed. */
const aheadMs = 3 * 60_000
const againMs = 2_000
/** What is left of a token that is still sent. */
const leastMs = 5_000
const answerWithinMs = 2_000

/**
 * Verifies signatures without asking the user service each time: what it says of a key is kept until the token that it gave for it nears its end, or the key or its
 * user is revoked, which is known within seconds (`TokenVerifier.isRevoked`).
 */
export class ApiKeys {
  readonly #options: ApiKeysOptions
  readonly #known = new BoundedMap<string, KnownKey>(keysMax)
  readonly #unknown = new BoundedMap<string, number>(keysMax)
  readonly #asking = new Map<string, Promise<KnownKey | undefined>>()
  readonly #taken = new BoundedMap<string, true>(signaturesMax)

  constructor(options: ApiKeysOptions) {
    this.#options = options
  }

  /**
   * Who signed the request. `isOnce`: the same signature is not taken twice, as it would do something twice.
   * @throws Problem timestamp_outside_window, invalid_signature, address_not_allowed, signature_used, overloaded, unavailable
   */
  async verify(signed: SignedRequest, request: { body: Buffer | null; address: string; isOnce: boolean }): Promise<SignedCaller> {
    if (!this.#options.gatewayKey) throw new Problem('unavailable', 'API keys are not switched on here (MARU_GATEWAY_KEY_FILE).')
    expectInTime(signed, Date.now())
    const known = this.#current(signed.keyId)
    const key = known ?? (await this.#ask(signed.keyId))
    if (!key || !isSignedBy(key.secret, signed, request.body)) throw new Problem('invalid_signature')
    if (key.allowed && !isTrusted(request.address, key.allowed)) throw new Problem('address_not_allowed')
    if (request.isOnce) this.#takeOnce(signed)
    return key
  }

  #takeOnce({ signature }: SignedRequest): void {
    // Half of it tells signatures apart that were right.
    const name = signature.toString('latin1', 0, 16)
    if (this.#taken.get(name)) throw new Problem('signature_used')
    this.#taken.set(name, true)
  }

  /** What is known of a key, if it can still be relied on. */
  #current(id: string): KnownKey | undefined {
    const key = this.#known.get(id)
    if (!key) return undefined
    const now = Date.now()
    if (this.#options.verifier.isRevoked(key.identity) || key.endsAtMs - leastMs <= now) return undefined
    if (key.endsAtMs - aheadMs <= now && key.askedAtMs + againMs <= now) {
      key.askedAtMs = now
      // Where nobody answers, what is known holds to its end.
      this.#ask(id).catch(() => undefined)
    }
    return key
  }

  async #ask(id: string): Promise<KnownKey | undefined> {
    if ((this.#unknown.get(id) ?? 0) > Date.now()) return undefined
    const asking = this.#asking.get(id)
    if (asking) return asking
    if (this.#asking.size >= askingMax) throw new Problem('overloaded', 'Too many API keys are being looked up now; nothing was done.')
    const asked = this.#learn(id).finally(() => this.#asking.delete(id))
    this.#asking.set(id, asked)
    return asked
  }

  async #learn(id: string): Promise<KnownKey | undefined> {
    const given = await this.#handedOut(id)
    if (!given) {
      this.#unknown.set(id, Date.now() + unknownMs)
      return undefined
    }
    const { verifier } = this.#options
    const authorization = `Bearer ${given.token}`
    const identity = await verifier.verify(authorization)
    const key: KnownKey = {
      identity,
      authorization,
      socketAuthorization: `Bearer ${given.socket_token}`,
      secret: given.secret,
      allowed: parseTrusted(given.addresses),
      endsAtMs: given.token_expires_at_ms,
      askedAtMs: Date.now(),
    }
    this.#known.set(id, key)
    return key
  }

  /** Undefined where there is no such key, or none that is good. Throws Problem `unavailable` where no instance says so. */
  async #handedOut(id: string): Promise<HandedOutKey | undefined> {
    const { discovery, gatewayKey, logger } = this.#options
    const headers = { authorization: gatewayAuthorization(gatewayKey!) }
    for (const { url } of await discovery.instances('user')) {
      try {
        const answer = await fetch(`${url}${apiKeysPath}${id}`, { headers, redirect: 'error', signal: AbortSignal.timeout(answerWithinMs) })
        if (answer.ok) return (await answer.json()) as HandedOutKey
        await answer.body?.cancel()
        if (answer.status === 404) return undefined
        logger.warn({ status: answer.status, url }, 'an instance of the user service could not say what an API key is')
      } catch (error) {
        logger.warn({ err: error, url }, 'an instance of the user service did not say what an API key is')
      }
    }
    throw new Problem('unavailable', 'The API key cannot be verified now; nothing was done.')
  }
}

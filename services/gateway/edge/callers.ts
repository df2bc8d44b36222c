import type { Endpoint } from '@maru/contracts'
import { Problem, type Identity } from '@maru/service-host'
import { headerOf, type EdgeRequest } from '../front/exchange.ts'
import { admit, isOpen, type AccessRules } from './access.ts'
import type { ApiKeys, SignedCaller } from './api-keys.ts'
import type { LimitedCall, Limits } from './limits.ts'
import { readSignature, type SignedRequest } from './signed-request.ts'

const safeMethods = new Set(['GET', 'HEAD', 'OPTIONS'])

/** Who sends a request; `signed` where it was by an API key. */
export interface Caller {
  identity: Identity | undefined
  signed?: SignedCaller
}

const nobody: Caller = { identity: undefined }

/** Finds out who sends a request, once for all services, and whether they may; each wrong secret counts against its address. */
export class Callers {
  readonly #access: AccessRules
  readonly #keys: ApiKeys
  readonly #limits: Limits

  constructor(parts: { access: AccessRules; keys: ApiKeys; limits: Limits }) {
    this.#access = parts.access
    this.#keys = parts.keys
    this.#limits = parts.limits
  }

  /**
   * By the token or the signature; `bodyOf` is asked for what was signed. Throws Problem where they are not valid or do not suffice.
   * A token that was seen before costs no turn.
   */
  identify(
    request: EdgeRequest,
    endpoint: Endpoint | undefined,
    call: LimitedCall,
    bodyOf: () => Buffer | null | Promise<Buffer>,
  ): Caller | Promise<Caller> {
    if (endpoint?.isAttempt) this.#limits.countAttempt(call)
    const signature = readSignature(request)
    if (signature) return this.#bySignature(signature, request, endpoint, call, bodyOf)
    const authorization = headerOf(request, 'authorization')
    if (authorization === undefined) {
      admit(endpoint, undefined)
      return nobody
    }
    const identity = this.#access.known(authorization)
    if (!identity) return this.#byToken(authorization, endpoint, call)
    admit(endpoint, identity)
    return { identity }
  }

  /** For the upgrade to a socket: by a signature alone, as services see to the tokens, which come in more than one way. */
  async identifySocket(request: EdgeRequest, call: LimitedCall): Promise<Caller> {
    const signature = readSignature(request)
    if (!signature) return nobody
    const signed = await this.#counted(call, () => this.#keys.verify(signature, { body: null, address: call.address, isOnce: true }))
    return { identity: signed.identity, signed }
  }

  async #byToken(authorization: string, endpoint: Endpoint | undefined, call: LimitedCall): Promise<Caller> {
    const identity = await this.#counted(call, () => this.#access.verify(endpoint, authorization))
    if (!identity && isOpen(endpoint)) this.#limits.countAttempt(call)
    admit(endpoint, identity)
    return { identity }
  }

  async #bySignature(
    signature: SignedRequest,
    request: EdgeRequest,
    endpoint: Endpoint | undefined,
    call: LimitedCall,
    bodyOf: () => Buffer | null | Promise<Buffer>,
  ): Promise<Caller> {
    const isOnce = !safeMethods.has(request.method)
    const signed = await this.#counted(call, async () =>
      this.#keys.verify(signature, { body: await bodyOf(), address: call.address, isOnce }),
    )
    admit(endpoint, signed.identity)
    return { identity: signed.identity, signed }
  }

  /** Runs what looks at a secret, which costs far more than a request: not for an address that has sent too many wrong ones. */
  async #counted<T>(call: LimitedCall, look: () => Promise<T>): Promise<T> {
    this.#limits.expectAttempt(call)
    try {
      return await look()
    } catch (error) {
      if (error instanceof Problem && error.status === 401) this.#limits.countAttempt(call)
      throw error
    }
  }
}

import type { Endpoint } from '@maru/contracts'
import { expectRight, PathMatcher, Problem, type Identity, type TokenVerifier } from '@maru/service-host'
import type { RouteName } from '../monitoring/edge-meter.ts'

/** Who may enter, by the contracts. A path that is in none passes, and the service answers 404 or 405. */
export class AccessRules {
  readonly #byService = new Map<string, PathMatcher<Endpoint>>()
  readonly #verifier: TokenVerifier
  readonly #names = new Map<Endpoint, RouteName>()
  readonly #otherNames = new Map<string, RouteName>()

  constructor(endpoints: readonly Endpoint[], verifier: TokenVerifier) {
    this.#verifier = verifier
    for (const endpoint of endpoints) {
      const { service, method, path: route } = endpoint
      this.#names.set(endpoint, { service, method, route })
      if (!this.#otherNames.has(service)) this.#otherNames.set(service, { service, method: 'any', route: '(none)' })
      const matcher = this.#byService.get(endpoint.service) ?? new PathMatcher<Endpoint>()
      matcher.add(endpoint.path, endpoint)
      this.#byService.set(endpoint.service, matcher)
    }
  }

  /** As what requests for an endpoint, or for a path of a service that is in no contract, are counted. */
  nameOf(service: string, endpoint: Endpoint | undefined): RouteName | undefined {
    return endpoint ? this.#names.get(endpoint) : this.#otherNames.get(service)
  }

  /** What the contracts have at a path. */
  find(service: string, method: string, path: string): Endpoint | undefined {
    const wanted = method === 'HEAD' ? 'GET' : method
    return this.#byService
      .get(service)
      ?.matchAll(path)
      .find(({ value }) => value.method === wanted)?.value
  }

  /** Who holds a token that was seen before and is still valid; undefined where `verify` must be asked. */
  known(authorization: string): Identity | undefined {
    const identity = this.#verifier.verifyKnown(authorization)
    return identity?.key ? undefined : identity
  }

  /**
   * Who holds the token. Undefined where the endpoint takes whoever comes, and the token is not valid: an expired one never bars a refresh.
   * Throws Problem `unauthenticated`, `token_expired`, or `unavailable` where no key can be had to judge by.
   */
  async verify(endpoint: Endpoint | undefined, authorization: string | undefined): Promise<Identity | undefined> {
    try {
      const identity = await this.#verifier.verify(authorization)
      // These the gateway gives to services, for requests that it has seen signed; nobody else has one.
      if (identity.key) throw new Problem('unauthenticated', 'This token is not for use from outside.')
      return identity
    } catch (error) {
      if (error instanceof Problem && isOpen(endpoint)) return undefined
      throw error
    }
  }
}

/** Whether nobody is asked who they are. */
export function isOpen(endpoint: Endpoint | undefined): boolean {
  return endpoint === undefined || endpoint.access === 'public'
}

/** Throws Problem `unauthenticated`, `insufficient_scope` or `forbidden`. */
export function admit(endpoint: Endpoint | undefined, identity: Identity | undefined): void {
  if (endpoint === undefined || endpoint.access === 'public') return
  if (identity === undefined) throw new Problem('unauthenticated')
  expectRight(endpoint, identity)
}

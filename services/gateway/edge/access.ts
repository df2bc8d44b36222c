import type { Access, Endpoint } from '@maru/contracts'
import { PathMatcher, Problem, type Identity, type TokenVerifier } from '@maru/service-host'
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

  /**
   * Who sends a request, by its token. Undefined where none, or none that is valid, came and the endpoint asks for none.
   * Throws Problem `unauthenticated`, `token_expired`, `forbidden`, or `unavailable` where no key can be had to judge by.
   */
  identify(endpoint: Endpoint | undefined, authorization: string | undefined): Identity | undefined | Promise<Identity | undefined> {
    const access = endpoint?.access ?? 'public'
    // A token seen before costs no turn.
    const known = authorization === undefined ? undefined : this.#verifier.verifyKnown(authorization)
    if (known) return admitted(access, known)
    if (access !== 'public') return this.#verifier.verify(authorization).then((identity) => admitted(access, identity))
    return authorization === undefined ? undefined : this.#tolerant(authorization)
  }

  /** As what requests for an endpoint, or for a path of a service that is in no contract, are counted. */
  nameOf(service: string, endpoint: Endpoint | undefined): RouteName | undefined {
    return endpoint ? this.#names.get(endpoint) : this.#otherNames.get(service)
  }

  async #tolerant(authorization: string): Promise<Identity | undefined> {
    try {
      return await this.#verifier.verify(authorization)
    } catch (error) {
      if (error instanceof Problem) return undefined
      throw error
    }
  }

  /** What the contracts have at a path. */
  find(service: string, method: string, path: string): Endpoint | undefined {
    const wanted = method === 'HEAD' ? 'GET' : method
    return this.#byService
      .get(service)
      ?.matchAll(path)
      .find(({ value }) => value.method === wanted)?.value
  }
}

function admitted(access: Access, identity: Identity): Identity {
  if (access === 'operator' && !identity.isOperator) throw new Problem('forbidden')
  return identity
}

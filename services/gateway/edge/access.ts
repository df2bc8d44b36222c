import type { Access, Endpoint } from '@maru/contracts'
import { PathMatcher, Problem, type Identity, type TokenVerifier } from '@maru/service-host'

/** Who may enter, by the contracts. A path that is in none passes, and the service answers 404 or 405. */
export class AccessRules {
  readonly #byService = new Map<string, PathMatcher<Endpoint>>()
  readonly #verifier: TokenVerifier

  constructor(endpoints: readonly Endpoint[], verifier: TokenVerifier) {
    this.#verifier = verifier
    for (const endpoint of endpoints) {
      const matcher = this.#byService.get(endpoint.service) ?? new PathMatcher<Endpoint>()
      matcher.add(endpoint.path, endpoint)
      this.#byService.set(endpoint.service, matcher)
    }
  }

  /**
   * Who sends a request, by its token. Undefined where none, or none that is valid, came and the endpoint asks for none.
   * Throws Problem `unauthenticated`, `token_expired`, `forbidden`, or `unavailable` where no key can be had to judge by.
   */
  identify(
    service: string,
    method: string,
    path: string,
    authorization: string | undefined,
  ): Identity | undefined | Promise<Identity | undefined> {
    const access = this.#find(service, method, path)?.access ?? 'public'
    // A token seen before costs no turn.
    const known = authorization === undefined ? undefined : this.#verifier.verifyKnown(authorization)
    if (known) return admitted(access, known)
    if (access !== 'public') return this.#verifier.verify(authorization).then((identity) => admitted(access, identity))
    return authorization === undefined ? undefined : this.#tolerant(authorization)
  }

  async #tolerant(authorization: string): Promise<Identity | undefined> {
    try {
      return await this.#verifier.verify(authorization)
    } catch (error) {
      if (error instanceof Problem) return undefined
      throw error
    }
  }

  #find(service: string, method: string, path: string): Endpoint | undefined {
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

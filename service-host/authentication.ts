import { createVerifier } from 'fast-jwt'
import { createPublicKey, type JsonWebKey } from 'node:crypto'
import { keyScopes, type Endpoint, type KeyScope } from '@maru/contracts'
import { BoundedMap } from './bounded-map.ts'
import { Problem } from './problem.ts'

/** Who a request comes from, by its verified access token. */
export interface Identity {
  readonly userId: string
  readonly roles: readonly string[]
  readonly isOperator: boolean
  /** When the token was made: ms since 1970. */
  readonly issuedAtMs: number
  /** When the token ends, for what outlives a request: ms since 1970. */
  readonly expiresAtMs: number
  /** Set where the caller is a program with an API key: which one, and what it may do. It has no roles then. */
  readonly key?: { readonly id: string; readonly scopes: readonly KeyScope[] }
}

/** Whose tokens are void though they have not expired: those made before a time (ms since 1970), by user and by API key. */
export interface Revocations {
  users: ReadonlyMap<string, number>
  keys: ReadonlyMap<string, number>
}

interface Claims {
  sub: string
  roles?: string[]
  exp: number
  iat?: number
  /** As `iat`, to the millisecond. */
  iat_ms?: number
  /** Of an API key, for which the token stands. */
  key_id?: string
  scopes?: unknown
}

export interface PublishedKey extends JsonWebKey {
  kid: string
}

/** Gives the keys that sign tokens now, as published at `/.well-known/jwks.json`; may be asked again for an unknown key id. */
export type KeySource = () => Promise<readonly PublishedKey[]>

/** An unknown key id is looked up at most this often. */
const refetchMs = 2_000
const keysMax = 16
const identitiesMax = 10_000

export const tokenIssuer = 'maru'
export const tokenAudience = 'maru-api'

/** Verifies EdDSA access tokens against published keys. Tokens seen before are answered from a bounded cache. */
export class TokenVerifier {
  readonly #keys: KeySource
  readonly #verifiers = new Map<string, (token: string) => Claims>()
  readonly #identities = new BoundedMap<string, Identity>(identitiesMax)
  #fetchedAtMs = -Infinity
  #fetching: Promise<void> | undefined
  #revoked: Revocations = { users: new Map(), keys: new Map() }
  readonly #listeners = new Set<() => void>()

  constructor(keys: KeySource) {
    this.#keys = keys
  }

  /** Who a token seen before, and still valid, belongs to; undefined where `verify` must be asked. */
  verifyKnown(authorization: string): Identity | undefined {
    const known = this.#identities.get(authorization)
    return known && known.expiresAtMs > Date.now() && !this.isRevoked(known) ? known : undefined
  }

  /** These tokens are void from now on, and no others. */
  revoke(revoked: Revocations): void {
    this.#revoked = revoked
    for (const listener of this.#listeners) listener()
  }

  /** Calls `listener` whenever revocations are news, until what it gives back is called: for what outlives a request. */
  onRevocations(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => void this.#listeners.delete(listener)
  }

  /** For what outlives a request: whether a token that was valid has been revoked since. */
  isRevoked({ userId, issuedAtMs, key }: Identity): boolean {
    const { users, keys } = this.#revoked
    const ofUser = users.get(userId)
    const ofKey = key && keys.get(key.id)
    return (ofUser !== undefined && issuedAtMs < ofUser) || (ofKey !== undefined && issuedAtMs < ofKey)
  }

  /** Throws Problem `unauthenticated` or `token_expired`; `unavailable` when no key could be had to judge by. */
  async verify(authorization: string | undefined): Promise<Identity> {
    if (authorization === undefined) throw new Problem('unauthenticated')
    const known = this.#identities.get(authorization)
    if (known) {
      if (known.expiresAtMs <= Date.now()) throw new Problem('token_expired')
      return this.#unlessRevoked(known)
    }
    const token = /^Bearer ([A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+)$/i.exec(authorization)?.[1]
    if (token === undefined || token.length > 4_096) throw new Problem('unauthenticated')
    const verify = await this.#verifierFor(token)
    let claims: Claims
    try {
      claims = verify(token)
    } catch (error) {
      throw new Problem((error as { code?: string }).code === 'FAST_JWT_EXPIRED' ? 'token_expired' : 'unauthenticated')
    }
    if (typeof claims.sub !== 'string' || typeof claims.exp !== 'number') throw new Problem('unauthenticated')
    const key = keyOf(claims)
    const roles = key || !Array.isArray(claims.roles) ? [] : claims.roles.filter((role) => typeof role === 'string')
    const identity: Identity = {
      userId: claims.sub,
      roles,
      isOperator: roles.includes('operator'),
      issuedAtMs: issuedAtMs(claims),
      expiresAtMs: claims.exp * 1_000,
      ...(key ? { key } : {}),
    }
    this.#identities.set(authorization, identity)
    return this.#unlessRevoked(identity)
  }

  #unlessRevoked(identity: Identity): Identity {
    if (this.isRevoked(identity)) throw new Problem('unauthenticated', 'The token was revoked: log in again.')
    return identity
  }

  async #verifierFor(token: string): Promise<(token: string) => Claims> {
    let kid: string | undefined
    try {
      kid = (JSON.parse(Buffer.from(token.slice(0, token.indexOf('.')), 'base64url').toString('utf8')) as { kid?: string }).kid
    } catch {
      throw new Problem('unauthenticated')
    }
    if (typeof kid !== 'string') throw new Problem('unauthenticated')
    if (!this.#verifiers.has(kid)) await this.#refresh()
    const found = this.#verifiers.get(kid)
    if (!found) throw new Problem('unauthenticated')
    return found
  }

  /** Fetches the keys once for all who wait, and not again within a while: forged key ids must not become load on the user service. */
  async #refresh(): Promise<void> {
    if (this.#verifiers.size > 0 && performance.now() - this.#fetchedAtMs < refetchMs) return
    this.#fetching ??= this.#fetch().finally(() => (this.#fetching = undefined))
    await this.#fetching
  }

  async #fetch(): Promise<void> {
    let keys: readonly PublishedKey[]
    try {
      keys = await this.#keys()
    } catch {
      throw new Problem('unavailable', 'The keys that verify tokens cannot be had now.')
    }
    this.#fetchedAtMs = performance.now()
    this.#verifiers.clear()
    for (const key of keys.slice(0, keysMax)) {
      const pem = createPublicKey({ key, format: 'jwk' }).export({ type: 'spki', format: 'pem' }).toString()
      this.#verifiers.set(
        key.kid,
        createVerifier({
          key: pem,
          algorithms: ['EdDSA'],
          allowedIss: tokenIssuer,
          allowedAud: tokenAudience,
          requiredClaims: ['iss', 'aud', 'sub', 'exp'],
        }) as (token: string) => Claims,
      )
    }
  }
}

/**
 * Refuses who may not call an endpoint that asks for a user: an API key without the scope for it, or who is no operator where one is asked for.
 * Throws Problem `insufficient_scope` or `forbidden`.
 */
export function expectRight({ access, keyScope }: Pick<Endpoint, 'access' | 'keyScope'>, identity: Identity | undefined): void {
  if (access === 'public') return
  if (identity?.key) expectScope(identity, keyScope)
  if (access === 'operator' && !identity?.isOperator) throw new Problem('forbidden')
}

/** Throws Problem `insufficient_scope` where the caller is an API key without `scope`; undefined is what no key has. */
export function expectScope({ key }: Identity, scope: KeyScope | undefined): void {
  if (!key || (scope !== undefined && key.scopes.includes(scope))) return
  throw new Problem(
    'insufficient_scope',
    scope === undefined ? 'No API key may do this: log in.' : `The API key needs the scope \`${scope}\`.`,
  )
}

function keyOf({ key_id: id, scopes }: Claims): Identity['key'] {
  if (id === undefined) return undefined
  const given: readonly unknown[] = Array.isArray(scopes) ? scopes : []
  return { id, scopes: keyScopes.filter((scope) => given.includes(scope)) }
}

/** To the second where the token does not say more; one that says nothing is as old as can be. */
function issuedAtMs({ iat, iat_ms: ms }: Claims): number {
  if (typeof ms === 'number') return ms
  return typeof iat === 'number' ? iat * 1_000 : 0
}

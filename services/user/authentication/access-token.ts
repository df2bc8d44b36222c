import { createSigner } from 'fast-jwt'
import { randomUUID } from 'node:crypto'
import type { KeyScope } from '@maru/contracts'
import { tokenAudience, tokenIssuer } from '@maru/service-host'
import type { SigningKey } from './signing-key.ts'

export const accessTokenSeconds = 30 * 60

export type AccessTokens = (subject: { userId: string; roles: readonly string[]; sessionId: string }) => string

/** Signs access tokens as service-host verifies them; `sid` names the session they came of. */
export function createAccessTokens(key: SigningKey): AccessTokens {
  const sign = createSigner({
    algorithm: 'EdDSA',
    key: key.privatePem,
    kid: key.kid,
    iss: tokenIssuer,
    aud: tokenAudience,
    expiresIn: accessTokenSeconds * 1_000,
  })
  return ({ userId, roles, sessionId }) => sign({ sub: userId, roles, sid: sessionId, jti: randomUUID(), iat_ms: Date.now() })
}

/** A token that stands for an API key: for requests, and for sockets, which it may not outlive. */
export const keyTokenSeconds = 10 * 60
export const keySocketTokenSeconds = 24 * 60 * 60

/** The longest life of a token: for so long it must be known whose are void. */
export const longestTokenSeconds = Math.max(accessTokenSeconds, keyTokenSeconds, keySocketTokenSeconds)

export type KeyTokens = (subject: {
  userId: string
  keyId: string
  scopes: readonly KeyScope[]
  issuedAtMs: number
  expiresAtMs: number
}) => string

/** Signs tokens for API keys. They carry no roles: a key acts for its user alone. */
export function createKeyTokens(key: SigningKey): KeyTokens {
  const sign = createSigner({ algorithm: 'EdDSA', key: key.privatePem, kid: key.kid, iss: tokenIssuer, aud: tokenAudience })
  return ({ userId, keyId, scopes, issuedAtMs, expiresAtMs }) =>
    sign({
      sub: userId,
      roles: [],
      key_id: keyId,
      scopes,
      jti: randomUUID(),
      iat: Math.floor(issuedAtMs / 1_000),
      iat_ms: issuedAtMs,
      exp: Math.floor(expiresAtMs / 1_000),
    })
}

/** The session id within an access token that has been verified already; undefined where it names none. */
export function sessionOfVerifiedToken(authorization: string | undefined): string | undefined {
  const payload = authorization?.split('.')[1]
  if (payload === undefined) return undefined
  const claims = JSON.parse(Buffer.from(payload, 'base64url').toString('utf8')) as { sid?: unknown }
  return typeof claims.sid === 'string' ? claims.sid : undefined
}

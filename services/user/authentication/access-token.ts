import { createSigner } from 'fast-jwt'
import { randomUUID } from 'node:crypto'
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

/** The session id within an access token that has been verified already; undefined where it names none. */
export function sessionOfVerifiedToken(authorization: string | undefined): string | undefined {
  const payload = authorization?.split('.')[1]
  if (payload === undefined) return undefined
  const claims = JSON.parse(Buffer.from(payload, 'base64url').toString('utf8')) as { sid?: unknown }
  return typeof claims.sid === 'string' ? claims.sid : undefined
}

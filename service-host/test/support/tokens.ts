import { createSigner } from 'fast-jwt'
import { generateKeyPairSync } from 'node:crypto'
import { tokenAudience, tokenIssuer, TokenVerifier, type PublishedKey } from '../../authentication.ts'

/** An issuer of tokens with a real Ed25519 key, as the user service is one. */
export function createIssuer(kid = 'k1') {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519')
  const key = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
  const published: PublishedKey = { ...publicKey.export({ format: 'jwk' }), kid }
  const sign = (claims: Record<string, unknown> = {}, options: { expiresInMs?: number; kid?: string } = {}): string =>
    createSigner({
      key,
      algorithm: 'EdDSA',
      kid: options.kid ?? kid,
      ...(claims['exp'] === undefined ? { expiresIn: options.expiresInMs ?? 60_000 } : {}),
    })({ sub: 'u1', roles: [], iss: tokenIssuer, aud: tokenAudience, ...claims })
  return { published, sign, privatePem: key, verifier: new TokenVerifier(() => Promise.resolve([published])) }
}

export type Issuer = ReturnType<typeof createIssuer>

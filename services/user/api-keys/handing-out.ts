import type pg from 'pg'
import type { KeyScope } from '@maru/contracts'
import { apiKeysPath, isGatewayAuthorization, isLoopback, Problem, type HandedOutKey, type HttpService } from '@maru/service-host'
import type { KeyTokens } from '../authentication/access-token.ts'
import { keySocketTokenSeconds, keyTokenSeconds } from '../authentication/access-token.ts'
import { openSecret } from './sealed-secret.ts'

export interface HandingOutParts {
  pool: pg.Pool
  gatewayKey: Buffer
  sealingKey: Buffer
  keyTokens: KeyTokens
}

interface Found {
  user_id: string
  scopes: KeyScope[]
  addresses: string[]
  sealed_secret: Buffer
  expires_at: Date | null
  issued_at: Date
}

/**
 * Tells the gateway, and nobody else, what it needs to verify requests that are signed with an API key, and gives it the tokens that stand for the key at the
 * services. No endpoint of the contract, so the gateway does not route it.
 */
export function serveHandingOut(http: HttpService, { pool, gatewayKey, sealingKey, keyTokens }: HandingOutParts): void {
  http.app.get(`${apiKeysPath}:id`, async (request, reply): Promise<HandedOutKey> => {
    // As if nothing were here for whoever is not the gateway.
    const { authorization } = request.headers
    if (!isLoopback(request.socket.remoteAddress) || !isGatewayAuthorization(authorization, gatewayKey)) throw new Problem('not_found')
    const { id } = request.params as { id: string }
    // Locked for a moment: a key that is being revoked is either seen as revoked, or its tokens are older than the revocation.
    const { rows } = await pool.query<Found>(
      `update api_keys k set last_used_at = clock_timestamp() from users u
       where k.id = $1 and k.revoked_at is null and (k.expires_at is null or k.expires_at > now()) and u.id = k.user_id and u.status = 'active'
       returning k.user_id, k.scopes, k.addresses, k.sealed_secret, k.expires_at, k.last_used_at as issued_at`,
      [id],
    )
    const key = rows[0]
    if (!key) throw new Problem('not_found')
    const issuedAtMs = key.issued_at.getTime()
    const endMs = key.expires_at?.getTime() ?? Infinity
    const tokenFor = (seconds: number) => {
      const expiresAtMs = Math.min(issuedAtMs + seconds * 1_000, endMs)
      return { expiresAtMs, token: keyTokens({ userId: key.user_id, keyId: id, scopes: key.scopes, issuedAtMs, expiresAtMs }) }
    }
    const { token, expiresAtMs } = tokenFor(keyTokenSeconds)
    reply.header('cache-control', 'no-store')
    return {
      user_id: key.user_id,
      secret: openSecret(key.sealed_secret, id, sealingKey),
      scopes: key.scopes,
      addresses: key.addresses,
      token,
      socket_token: tokenFor(keySocketTokenSeconds).token,
      token_expires_at_ms: expiresAtMs,
    }
  })
}

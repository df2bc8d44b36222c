import { createHash, timingSafeEqual } from 'node:crypto'
import type { KeyScope } from '@maru/contracts'

/** Where the gateway asks the user service for an API key; the id follows. For the gateway alone, which shows the key they share. */
export const apiKeysPath = '/internal/api-keys/'

/** What the gateway is told of an API key that is good now. */
export interface HandedOutKey {
  user_id: string
  /** Verifies signatures. In the memory of the gateway alone, and in no log. */
  secret: string
  scopes: KeyScope[]
  /** Addresses and subnets it may be used from; empty: any. */
  addresses: string[]
  /** Tells the services who calls, in the place of the signature: for requests, and for sockets, which last longer. */
  token: string
  socket_token: string
  /** When the token for requests ends: ms since 1970. */
  token_expires_at_ms: number
}

const scheme = 'Maru-Gateway '

/** The Authorization by which the gateway makes itself known to the user service. */
export function gatewayAuthorization(key: Buffer): string {
  return scheme + key.toString('base64url')
}

/** Whether an Authorization is that of the gateway; takes as long whatever is given. */
export function isGatewayAuthorization(authorization: string | undefined, key: Buffer): boolean {
  const hash = (text: string): Buffer => createHash('sha256').update(text).digest()
  return timingSafeEqual(hash(authorization ?? ''), hash(gatewayAuthorization(key)))
}

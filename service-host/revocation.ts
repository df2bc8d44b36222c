import { askJson } from './ask-json.ts'
import type { Revocations } from './authentication.ts'
import type { Discovery } from './discovery/port.ts'
import type { Logger } from './logger.ts'

/** Where the user service says whose access tokens are void before they expire; for services, not for clients. */
export const revokedTokensPath = '/internal/revoked-tokens'

export interface RevokedTokens {
  /** Tokens of the user made before this time, ms since 1970, are void. */
  users: { user_id: string; before_ms: number }[]
  /** The same of an API key; a release that knew none says nothing of them. */
  keys?: { key_id: string; before_ms: number }[]
}

/** How soon a revocation is known, at most. */
const everyMs = 2_000

/**
 * Tells `onRevoked` whose tokens are void, now and every two seconds until `signal` aborts. While no instance of the user service answers, what
 * was known stays: tokens live for half an hour anyway, those of API keys that carry requests for ten minutes.
 */
export function followRevocations(options: {
  discovery: Discovery
  logger: Logger
  signal: AbortSignal
  onRevoked: (revoked: Revocations) => void
}): void {
  const { discovery, logger, signal, onRevoked } = options
  let isAsking = false
  let failures = 0
  const ask = async (): Promise<void> => {
    if (isAsking) return
    isAsking = true
    try {
      const { users, keys = [] } = await revokedTokens(discovery)
      onRevoked({
        users: new Map(users.map(({ user_id, before_ms }) => [user_id, before_ms])),
        keys: new Map(keys.map(({ key_id, before_ms }) => [key_id, before_ms])),
      })
      failures = 0
    } catch (error) {
      // While everything starts, the user service may not be there yet.
      if ((failures += 1) === 5 && !signal.aborted) logger.warn({ err: error }, 'whose tokens are revoked cannot be had')
    }
    isAsking = false
  }
  const timer = setInterval(() => void ask(), everyMs).unref()
  signal.addEventListener('abort', () => clearInterval(timer), { once: true })
  void ask()
}

async function revokedTokens(discovery: Discovery): Promise<RevokedTokens> {
  for (const { url } of await discovery.instances('user')) {
    const answer = await askJson(url + revokedTokensPath, 2_000).catch(() => undefined)
    if (answer) return answer as RevokedTokens
  }
  throw new Error('no instance of the user service answered')
}

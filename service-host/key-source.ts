import type { KeySource, PublishedKey } from './authentication.ts'
import type { Discovery } from './discovery/port.ts'

/** The keys that sign tokens, from any live instance of the user service. */
export function keysFromUserService(discovery: Discovery): KeySource {
  return async () => {
    const instances = await discovery.instances('user')
    for (const { url } of instances) {
      try {
        const answer = await fetch(`${url}/.well-known/jwks.json`, { signal: AbortSignal.timeout(2_000) })
        if (answer.ok) return ((await answer.json()) as { keys: PublishedKey[] }).keys
      } catch {
        // The next instance may answer.
      }
    }
    throw new Error('no instance of the user service gave its keys')
  }
}

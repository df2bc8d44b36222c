import { askJson } from './ask-json.ts'
import type { KeySource, PublishedKey } from './authentication.ts'
import type { Discovery } from './discovery/port.ts'

/** The keys that sign tokens, from any live instance of the user service. */
export function keysFromUserService(discovery: Discovery): KeySource {
  return async () => {
    const instances = await discovery.instances('user')
    for (const { url } of instances) {
      try {
        const answer = (await askJson(`${url}/.well-known/jwks.json`, 2_000)) as { keys: PublishedKey[] } | undefined
        if (answer) return answer.keys
      } catch {
        // The next instance may answer.
      }
    }
    throw new Error('no instance of the user service gave its keys')
  }
}

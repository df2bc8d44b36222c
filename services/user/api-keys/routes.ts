import type pg from 'pg'
import { apiKeyEndpoints } from '@maru/contracts/http/user-api-keys'
import { pageOf, Problem, type HttpService } from '@maru/service-host'
import { verifyPassword, type LoginParts } from '../authentication/login.ts'
import { currentUser } from '../authorization/current-user.ts'
import { createKey, listKeys, renameKey, revokeKey } from './keys.ts'

export interface ApiKeyParts extends LoginParts {
  pool: pg.Pool
  /** Undefined where this instance was given none: then no keys are made. */
  sealingKey: Buffer | undefined
}

/** What a user does with their keys, by a session; no key reaches another. */
export function serveApiKeys(http: Pick<HttpService, 'serve'>, parts: ApiKeyParts): void {
  const { pool, sealingKey } = parts

  http.serve(apiKeyEndpoints.createApiKey, async (call) => {
    const { user } = await currentUser(pool, call)
    if (!sealingKey) throw new Problem('unavailable', 'API keys are not switched on here (MARU_API_KEYS_KEY_FILE).')
    await verifyPassword(parts, user, call.body.password)
    const { password: _, ...wanted } = call.body
    const by = { userId: user.id, passwordHash: user.password_hash, requestId: call.requestId }
    const created = await createKey(pool, sealingKey, by, wanted)
    call.reply.header('cache-control', 'no-store')
    return created
  })

  http.serve(apiKeyEndpoints.apiKeys, async (call) => {
    const { user } = await currentUser(pool, call)
    return pageOf(await listKeys(pool, user.id), call.query, ({ id }) => id)
  })

  http.serve(apiKeyEndpoints.renameApiKey, async (call) => {
    const { user } = await currentUser(pool, call)
    return renameKey(pool, { userId: user.id, requestId: call.requestId }, call.params.key_id, call.body.label)
  })

  http.serve(apiKeyEndpoints.revokeApiKey, async (call) => {
    const { user } = await currentUser(pool, call)
    await revokeKey(pool, { userId: user.id, requestId: call.requestId }, call.params.key_id)
    return { message: 'The API key is revoked; it is void at every service within seconds.' }
  })
}

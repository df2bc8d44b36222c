import type pg from 'pg'
import { isLoopback, Problem, revokedTokensPath, type HttpService, type RevokedTokens } from '@maru/service-host'
import { longestTokenSeconds } from '../authentication/access-token.ts'

/** Beyond so many within the life of a token the oldest are left out. */
const revokedMax = 10_000
const rememberedSeconds = longestTokenSeconds + 60

/** Says to the other services whose tokens are void before they expire. No endpoint of the contract, so the gateway does not route it. */
export function serveRevokedTokens(http: HttpService, { pool }: { pool: pg.Pool }): void {
  http.app.get(revokedTokensPath, async (request): Promise<RevokedTokens> => {
    if (!isLoopback(request.socket.remoteAddress)) throw new Problem('not_found')
    const { rows } = await pool.query<{ id: string; tokens_after: Date }>(
      `select id, tokens_after from users where tokens_after > now() - $1 * interval '1 second' order by tokens_after desc limit $2`,
      [rememberedSeconds, revokedMax],
    )
    const { rows: keys } = await pool.query<{ id: string; revoked_at: Date }>(
      `select id, revoked_at from api_keys where revoked_at > now() - $1 * interval '1 second' order by revoked_at desc limit $2`,
      [rememberedSeconds, revokedMax],
    )
    return {
      users: rows.map(({ id, tokens_after }) => ({ user_id: id, before_ms: tokens_after.getTime() })),
      keys: keys.map(({ id, revoked_at }) => ({ key_id: id, before_ms: revoked_at.getTime() + 1 })),
    }
  })
}

import type { IncomingHttpHeaders } from 'node:http'
import type pg from 'pg'
import { Problem, type Identity } from '@maru/service-host'
import { sessionOfVerifiedToken } from '../authentication/access-token.ts'
import { userColumns, type UserRow } from '../store/users.ts'

export interface CurrentUser {
  user: UserRow
  sessionId: string
}

const bySession = `select ${userColumns}, coalesce(s.ended_at is null and s.expires_at > now(), false) as session_live
  from users u left join sessions s on s.id = $2 and s.user_id = u.id where u.id = $1`
const byKey = `select ${userColumns}, coalesce(k.revoked_at is null and (k.expires_at is null or k.expires_at > now()), false) and k.id is not null as session_live
  from users u left join api_keys k on k.id = $2 and k.user_id = u.id where u.id = $1`

/**
 * The user behind a verified token, as they are now. A token tells what was true when it was signed; here, where it is known,
 * an ended session, a disabled user and a lost role count at once.
 * @throws Problem unauthenticated, account_disabled, or forbidden where `role` is asked for and no longer held
 */
export async function currentUser(
  pool: pg.Pool,
  call: { identity: Identity; request: { headers: IncomingHttpHeaders } },
  role?: 'operator',
): Promise<CurrentUser> {
  const { userId, key } = call.identity
  const sessionId = key ? '' : (sessionOfVerifiedToken(call.request.headers.authorization) ?? '')
  const { rows } = await pool.query<UserRow & { session_live: boolean }>({
    name: key ? 'user of a key' : 'user of a session',
    text: key ? byKey : bySession,
    values: [userId, key ? key.id : sessionId],
  })
  const user = rows[0]
  if (!user) throw new Problem('unauthenticated')
  if (user.status === 'disabled') throw new Problem('account_disabled')
  if (!user.session_live)
    throw new Problem('unauthenticated', key ? 'The API key is good no longer.' : 'The session of this token has ended; log in again.')
  if (role !== undefined && !user.roles.includes(role)) throw new Problem('forbidden')
  return { user, sessionId }
}

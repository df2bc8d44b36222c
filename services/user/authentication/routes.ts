import type { IncomingHttpHeaders } from 'node:http'
import { isIP } from 'node:net'
import type pg from 'pg'
import type { ReplyOf } from '@maru/contracts'
import { userEndpoints } from '@maru/contracts/http/user'
import { inTransaction, pageOf, Problem, type HttpService } from '@maru/service-host'
import { writeAudit } from '../authorization/audit.ts'
import { currentUser } from '../authorization/current-user.ts'
import type { UserRow } from '../store/users.ts'
import { accessTokenSeconds, type AccessTokens } from './access-token.ts'
import { changePassword, logIn, type LoginParts } from './login.ts'
import { endSessions, listSessions, rotateRefreshToken, type Device, type OpenedSession } from './sessions.ts'
import type { SigningKey } from './signing-key.ts'

export interface AuthenticationParts extends LoginParts {
  pool: pg.Pool
  key: SigningKey
  accessTokens: AccessTokens
}

export function serveAuthentication(http: Pick<HttpService, 'serve'>, parts: AuthenticationParts): void {
  const { pool, key } = parts

  const tokensFor = (user: UserRow, session: OpenedSession): ReplyOf<typeof userEndpoints.token> => ({
    access_token: parts.accessTokens({ userId: user.id, roles: user.roles, sessionId: session.sessionId }),
    token_type: 'bearer',
    expires_in: accessTokenSeconds,
    refresh_token: session.refreshToken,
    user_id: user.id,
    email: user.email,
  })

  http.serve(userEndpoints.token, async ({ body, request, reply, requestId }) => {
    const { user, session } = await logIn(parts, { login: body.username, password: body.password, device: deviceOf(request), requestId })
    reply.header('cache-control', 'no-store')
    return tokensFor(user, session)
  })

  http.serve(userEndpoints.refresh, async ({ body, reply, requestId }) => {
    const { user, session } = await rotateRefreshToken(pool, key.refreshSecret, body.refresh_token, requestId)
    reply.header('cache-control', 'no-store')
    return tokensFor(user, session)
  })

  http.serve(userEndpoints.logout, async (call) => {
    const { user, sessionId } = await currentUser(pool, call)
    await inTransaction(pool, async (client) => {
      await endSessions(client, user.id, { only: sessionId, reason: 'logout' })
      await writeAudit(client, {
        action: 'user.logged_out',
        actor: user.id,
        subject: user.id,
        data: { session_id: sessionId },
        requestId: call.requestId,
      })
    })
    return { message: 'Logged out.' }
  })

  http.serve(userEndpoints.changePassword, async (call) => {
    const { user, sessionId } = await currentUser(pool, call)
    await changePassword(parts, user, {
      current: call.body.current_password,
      next: call.body.new_password,
      sessionId,
      requestId: call.requestId,
    })
    return { message: 'Password changed. Every other session has been ended.' }
  })

  http.serve(userEndpoints.sessions, async (call) => {
    const { user, sessionId } = await currentUser(pool, call)
    return pageOf(await listSessions(pool, user.id, sessionId), call.query, ({ id }) => id)
  })

  http.serve(userEndpoints.endSession, async (call) => {
    const { user } = await currentUser(pool, call)
    const id = call.params.session_id
    await inTransaction(pool, async (client) => {
      if ((await endSessions(client, user.id, { only: id, reason: 'revoked' })) === 0)
        throw new Problem('not_found', 'You have no session of this id.')
      await writeAudit(client, {
        action: 'session.revoked',
        actor: user.id,
        subject: user.id,
        data: { session_id: id },
        requestId: call.requestId,
      })
    })
    return { message: 'The session has been ended.' }
  })

  http.serve(userEndpoints.jwks, ({ reply }) => {
    reply.header('cache-control', 'public, max-age=60')
    return { keys: [key.publicJwk] }
  })
}

/** What a session shows of where it was opened. For the eye alone: nothing is decided by it. */
function deviceOf(request: { headers: IncomingHttpHeaders; ip: string }): Device {
  const forwarded = request.headers['x-forwarded-for']
  // The last address is the one that the gateway saw.
  const last = (Array.isArray(forwarded) ? forwarded.at(-1) : forwarded)?.split(',').at(-1)?.trim()
  return {
    userAgent: request.headers['user-agent']?.replaceAll(/[^\x20-\x7e]/g, '').slice(0, 200) || null,
    address: last !== undefined && isIP(last) !== 0 ? last : request.ip,
  }
}

import type pg from 'pg'
import { userEndpoints } from '@maru/contracts/http/user'
import { Problem, type HttpService } from '@maru/service-host'
import { findById, toUser } from '../store/users.ts'
import { listAudit } from './audit.ts'
import { currentUser } from './current-user.ts'
import { listUsers, setRoles, setStatus } from './operators.ts'

/** What operators may do. The role is looked up anew at each request, so that one who lost it is refused at once. */
export function serveAuthorization(http: Pick<HttpService, 'serve'>, { pool }: { pool: pg.Pool }): void {
  http.serve(userEndpoints.users, async (call) => {
    await currentUser(pool, call, 'operator')
    const { limit = 50, cursor, search, status } = call.query
    return listUsers(pool, { limit, cursor, search, status })
  })

  http.serve(userEndpoints.user, async (call) => {
    await currentUser(pool, call, 'operator')
    const user = await findById(pool, call.params.user_id)
    if (!user) throw new Problem('user_not_found')
    return toUser(user)
  })

  http.serve(userEndpoints.setRoles, async (call) => {
    const { user } = await currentUser(pool, call, 'operator')
    return setRoles(pool, { actorId: user.id, userId: call.params.user_id, requestId: call.requestId }, call.body.roles)
  })

  http.serve(userEndpoints.setStatus, async (call) => {
    const { user } = await currentUser(pool, call, 'operator')
    return setStatus(pool, { actorId: user.id, userId: call.params.user_id, requestId: call.requestId }, call.body.status)
  })

  http.serve(userEndpoints.audit, async (call) => {
    await currentUser(pool, call, 'operator')
    const { limit = 50, cursor, subject, actor } = call.query
    if (cursor !== undefined && !/^[0-9]{1,18}$/.test(cursor))
      throw new Problem('invalid_request', undefined, { errors: [{ path: 'cursor', message: 'is not a cursor of this list' }] })
    return listAudit(pool, { limit, cursor: cursor === undefined ? undefined : BigInt(cursor), subject, actor })
  })
}

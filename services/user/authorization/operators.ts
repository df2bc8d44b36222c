import type pg from 'pg'
import { inTransaction, Problem } from '@maru/service-host'
import { endSessions } from '../authentication/sessions.ts'
import { toUser, userColumns, type User, type UserRow } from '../store/users.ts'
import { writeAudit } from './audit.ts'

export interface UserFilter {
  limit: number
  /** Id of the last user seen. */
  cursor: string | undefined
  search: string | undefined
  status: 'active' | 'disabled' | undefined
}

/** Newest first. */
export async function listUsers(pool: pg.Pool, filter: UserFilter): Promise<{ items: User[]; next_cursor: string | null }> {
  const { rows } = await pool.query<UserRow>(
    `select ${userColumns} from users u
     where ($1::text is null or u.id < $1) and ($2::text is null or u.email_key like $2 or u.username_key like $2) and ($3::text is null or u.status = $3)
     order by u.id desc limit $4`,
    [filter.cursor ?? null, filter.search === undefined ? null : prefixPattern(filter.search), filter.status ?? null, filter.limit + 1],
  )
  const items = rows.slice(0, filter.limit).map(toUser)
  return { items, next_cursor: rows.length > filter.limit ? (items.at(-1)?.user_id ?? null) : null }
}

/** A LIKE pattern for texts beginning with `search`, in the form keys have; its own wildcards are taken literally. */
function prefixPattern(search: string): string {
  // PostgreSQL text cannot hold NUL; nothing begins with it either way.
  return `${search
    .normalize('NFKC')
    .toLowerCase()
    .toWellFormed()
    .replaceAll('\0', '\u{fffd}')
    .replaceAll(/[\\%_]/g, '\\$&')}%`
}

export interface OperatorAct {
  actorId: string
  userId: string
  requestId: string
}

/** Where they are others than before, access tokens made until now are void. @throws Problem forbidden (oneself), user_not_found */
export async function setRoles(pool: pg.Pool, act: OperatorAct, roles: readonly 'operator'[]): Promise<User> {
  if (act.actorId === act.userId) throw new Problem('forbidden', 'Another operator must change your roles.')
  return inTransaction(pool, async (client) => {
    const before = await lockUser(client, act.userId)
    const { rows } = await client.query<UserRow>(
      `update users u set roles = $2, tokens_after = coalesce($3, tokens_after), updated_at = now() where u.id = $1 returning ${userColumns}`,
      [act.userId, roles, isSame(before.roles, roles) ? null : new Date()],
    )
    await writeAudit(client, {
      action: 'user.roles_changed',
      actor: act.actorId,
      subject: act.userId,
      data: { before: before.roles, after: roles },
      requestId: act.requestId,
    })
    return toUser(rows[0] ?? before)
  })
}

/** A change voids access tokens made until now, and disabling ends all sessions. @throws Problem forbidden (oneself), user_not_found */
export async function setStatus(pool: pg.Pool, act: OperatorAct, status: 'active' | 'disabled'): Promise<User> {
  if (act.actorId === act.userId) throw new Problem('forbidden', 'Another operator must change your status.')
  return inTransaction(pool, async (client) => {
    const before = await lockUser(client, act.userId)
    const { rows } = await client.query<UserRow>(
      `update users u set status = $2, tokens_after = coalesce($3, tokens_after), updated_at = now() where u.id = $1 returning ${userColumns}`,
      [act.userId, status, before.status === status ? null : new Date()],
    )
    const ended = status === 'disabled' ? await endSessions(client, act.userId, { reason: 'disabled' }) : 0
    await writeAudit(client, {
      action: 'user.status_changed',
      actor: act.actorId,
      subject: act.userId,
      data: { before: before.status, after: status, sessions_ended: ended },
      requestId: act.requestId,
    })
    return toUser(rows[0] ?? before)
  })
}

function isSame(some: readonly string[], others: readonly string[]): boolean {
  return some.toSorted().join() === others.toSorted().join()
}

async function lockUser(client: pg.PoolClient, userId: string): Promise<UserRow> {
  const { rows } = await client.query<UserRow>(`select ${userColumns} from users u where u.id = $1 for update`, [userId])
  const user = rows[0]
  if (!user) throw new Problem('user_not_found')
  return user
}

import type pg from 'pg'
import { inTransaction, Problem } from '@maru/service-host'
import { writeAudit } from '../authorization/audit.ts'
import { addToOutbox } from '../outbox/outbox.ts'
import { userColumns, type UserRow } from '../store/users.ts'
import { normalUsername } from './names.ts'
import { takenProblem, usernameRule } from './registration.ts'

/**
 * Changes what is given, together with the event `user.profile_changed`.
 * @throws Problem invalid_request, username_taken
 */
export async function changeProfile(
  pool: pg.Pool,
  userId: string,
  change: { username?: string; language?: 'en' | 'ko' },
  requestId: string,
): Promise<UserRow> {
  const username = change.username === undefined ? undefined : normalUsername(change.username)
  if (change.username !== undefined && !username)
    throw new Problem('invalid_request', `username ${usernameRule}`, { errors: [{ path: 'username', message: usernameRule }] })
  try {
    return await inTransaction(pool, async (client) => {
      const now = new Date()
      const { rows } = await client.query<UserRow>(
        `update users u set username = coalesce($2, u.username), username_key = coalesce($3, u.username_key),
           language = coalesce($4, u.language), updated_at = $5
         where u.id = $1 returning ${userColumns}`,
        [userId, username?.shown ?? null, username?.key ?? null, change.language ?? null, now],
      )
      const user = rows[0]
      if (!user) throw new Problem('unauthenticated')
      await writeAudit(client, {
        action: 'user.profile_changed',
        actor: userId,
        subject: userId,
        data: { username: user.username, language: user.language },
        requestId,
      })
      await addToOutbox(
        client,
        { type: 'user.profile_changed', data: { user_id: userId, username: user.username, language: user.language } },
        now,
      )
      return user
    })
  } catch (error) {
    throw takenProblem(error) ?? error
  }
}

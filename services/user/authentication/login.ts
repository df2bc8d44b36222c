import { createHash } from 'node:crypto'
import type pg from 'pg'
import { inTransaction, Problem } from '@maru/service-host'
import { writeAudit } from '../authorization/audit.ts'
import { loginKey } from '../profile-management/names.ts'
import { findByLogin, type UserRow } from '../store/users.ts'
import { countAttempt, forgetAttempts, type LoginLimit } from './login-limit.ts'
import type { Passwords } from './passwords.ts'
import { openSession, type Device, type OpenedSession } from './sessions.ts'

export interface LoginParts {
  pool: pg.Pool
  passwords: Passwords
  limit: LoginLimit
}

/**
 * Checks a login and opens a session. An unknown login takes the same steps and time as a wrong password.
 * @throws Problem overloaded, rate_limited, invalid_credentials, account_disabled
 */
export async function logIn(
  { pool, passwords, limit }: LoginParts,
  given: { login: string; password: string; device: Device; requestId: string },
): Promise<{ user: UserRow; session: OpenedSession }> {
  using turn = passwords.takeTurn()
  const known = loginKey(given.login)
  const limited = known ? `${known.column}:${known.key}` : `other:${createHash('sha256').update(given.login).digest('hex')}`
  await countAttempt(pool, limited, limit)
  const user = known && (await findByLogin(pool, known))
  const right = await turn.verify(user?.password_hash, given.password)
  if (!user || !right) throw new Problem('invalid_credentials')
  if (user.status === 'disabled') throw new Problem('account_disabled')
  const session = await inTransaction(pool, async (client) => {
    const opened = await openSession(client, user, given.device)
    if (opened)
      await writeAudit(client, {
        action: 'user.logged_in',
        actor: user.id,
        subject: user.id,
        data: { session_id: opened.sessionId },
        requestId: given.requestId,
      })
    return opened
  })
  // The password was changed, or the user disabled, while it was being checked.
  if (!session) throw new Problem('invalid_credentials')
  await forgetAttempts(pool, limited)
  return { user, session }
}

/**
 * Asks once more for the password of a user who is logged in.
 * @throws Problem overloaded, rate_limited, invalid_credentials
 */
export async function verifyPassword({ pool, passwords, limit }: LoginParts, user: UserRow, password: string): Promise<void> {
  using turn = passwords.takeTurn()
  const limited = `password:${user.id}`
  await countAttempt(pool, limited, limit)
  if (!(await turn.verify(user.password_hash, password))) throw new Problem('invalid_credentials', 'The password is wrong.')
  await forgetAttempts(pool, limited)
}

/**
 * Sets a new password and ends every other session.
 * @throws Problem overloaded, rate_limited, invalid_credentials, invalid_request
 */
export async function changePassword(
  { pool, passwords, limit }: LoginParts,
  user: UserRow,
  given: { current: string; next: string; sessionId: string; requestId: string },
): Promise<void> {
  if (!given.next.isWellFormed())
    throw new Problem('invalid_request', undefined, { errors: [{ path: 'new_password', message: 'is not well-formed text' }] })
  if (given.next.normalize('NFKC') === given.current.normalize('NFKC'))
    throw new Problem('invalid_request', 'The new password must differ from the present one.', {
      errors: [{ path: 'new_password', message: 'is the present password' }],
    })
  using turn = passwords.takeTurn()
  const limited = `password:${user.id}`
  await countAttempt(pool, limited, limit)
  if (!(await turn.verify(user.password_hash, given.current))) throw new Problem('invalid_credentials', 'The present password is wrong.')
  const hash = await turn.hash(given.next)
  const changed = await inTransaction(pool, async (client) => {
    const { rowCount } = await client.query(
      'update users set password_hash = $3, updated_at = now() where id = $1 and password_hash = $2',
      [user.id, user.password_hash, hash],
    )
    if (rowCount !== 1) return false
    const { rowCount: ended } = await client.query(
      `update sessions set ended_at = now(), end_reason = 'password_changed' where user_id = $1 and ended_at is null and id <> $2`,
      [user.id, given.sessionId],
    )
    await writeAudit(client, {
      action: 'user.password_changed',
      actor: user.id,
      subject: user.id,
      data: { sessions_ended: ended ?? 0 },
      requestId: given.requestId,
    })
    return true
  })
  if (!changed) throw new Problem('invalid_credentials', 'The password was changed meanwhile.')
  await forgetAttempts(pool, limited)
}

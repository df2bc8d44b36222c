import type pg from 'pg'
import { inTransaction, Problem } from '@maru/service-host'
import type { Passwords } from '../authentication/passwords.ts'
import { writeAudit } from '../authorization/audit.ts'
import { createId } from '../ids.ts'
import type { RegistrationTraces } from '../monitoring/registration-traces.ts'
import { addToOutbox } from '../outbox/outbox.ts'
import { violatedConstraint } from '../store/violations.ts'
import { normalEmail, normalUsername } from './names.ts'

export interface NewUser {
  email: string
  username: string
  password: string
  language: 'en' | 'ko'
  roles: readonly 'operator'[]
  requestId?: string
}

/**
 * Creates a user together with the event `user.registered`, in one transaction.
 * @returns the id of the user
 * @throws Problem invalid_request, email_taken, username_taken, overloaded
 */
export async function registerUser(
  parts: { pool: pg.Pool; passwords: Passwords; traces?: RegistrationTraces },
  given: NewUser,
): Promise<string> {
  const email = normalEmail(given.email)
  const username = normalUsername(given.username)
  const errors = [
    ...(email ? [] : [{ path: 'email', message: 'is not an e-mail address' }]),
    ...(username ? [] : [{ path: 'username', message: usernameRule }]),
    ...(given.password.isWellFormed() ? [] : [{ path: 'password', message: 'is not well-formed text' }]),
  ]
  if (!email || !username || errors.length > 0)
    throw new Problem('invalid_request', errors.map((error) => `${error.path} ${error.message}`).join('; '), { errors })

  using turn = parts.passwords.takeTurn()
  // Asked before the costly hash; the unique columns decide in the end.
  const { rows } = await parts.pool.query<{ same_email: boolean }>(
    'select email_key = $1 as same_email from users where email_key = $1 or username_key = $2 order by 1 desc limit 1',
    [email.key, username.key],
  )
  if (rows[0]) throw new Problem(rows[0].same_email ? 'email_taken' : 'username_taken')
  const hash = await turn.hash(given.password)

  const userId = createId()
  await parts.traces?.creating(userId)
  const now = new Date()
  try {
    await inTransaction(parts.pool, async (client) => {
      await client.query(
        `insert into users (id, email, email_key, username, username_key, password_hash, roles, language, created_at, updated_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9)`,
        [userId, email.shown, email.key, username.shown, username.key, hash, given.roles, given.language, now],
      )
      await writeAudit(client, {
        action: 'user.registered',
        actor: null,
        subject: userId,
        data: { roles: given.roles },
        ...(given.requestId === undefined ? {} : { requestId: given.requestId }),
      })
      await addToOutbox(
        client,
        {
          type: 'user.registered',
          data: { user_id: userId, email: email.shown, username: username.shown, roles: [...given.roles], language: given.language },
        },
        now,
      )
    })
  } catch (error) {
    throw takenProblem(error) ?? error
  }
  return userId
}

export const usernameRule =
  'must be 2 to 32 letters of one script, digits, dots, dashes or underscores, beginning with a letter or digit, and not with "system-"'

/** The refusal that a clash of unique columns stands for, if it is one. */
export function takenProblem(error: unknown): Problem | undefined {
  const constraint = violatedConstraint(error)
  if (constraint === 'users_email_key_key') return new Problem('email_taken')
  if (constraint === 'users_username_key_key') return new Problem('username_taken')
  return undefined
}

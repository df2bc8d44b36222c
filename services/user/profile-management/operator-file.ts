import { readFile } from 'node:fs/promises'
import { randomBytes } from 'node:crypto'
import type pg from 'pg'
import { Problem, type Logger } from '@maru/service-host'
import type { Passwords } from '../authentication/passwords.ts'
import { findByLogin } from '../store/users.ts'
import { normalEmail } from './names.ts'
import { registerUser } from './registration.ts'

/**
 * Makes sure that the operator named by the file exists. A user who is there already is left as they are: the file never
 * resets a password, lifts a disabling, or gives a role to somebody who registered the address.
 * @throws Error that says what is wrong with the file
 */
export async function ensureOperator(parts: { pool: pg.Pool; passwords: Passwords; logger: Logger }, file: string): Promise<void> {
  const operator = await readOperatorFile(file)
  const email = normalEmail(operator.email)
  if (!email) throw new Error(`MARU_OPERATOR_FILE: "email" is not an e-mail address (${file})`)
  for (const username of ['operator', `operator-${randomBytes(4).toString('hex')}`]) {
    const existing = await findByLogin(parts.pool, { column: 'email_key', key: email.key })
    if (existing) {
      if (!existing.roles.includes('operator'))
        parts.logger.warn({ user_id: existing.id }, 'the user named by MARU_OPERATOR_FILE exists without the role operator and is left so')
      return
    }
    try {
      await registerUser(parts, { email: operator.email, username, password: operator.password, language: 'en', roles: ['operator'] })
      return
    } catch (error) {
      // Another instance was faster, or somebody is called so: look again, then take another name.
      if (!(error instanceof Problem) || (error.code !== 'email_taken' && error.code !== 'username_taken')) throw error
    }
  }
}

async function readOperatorFile(file: string): Promise<{ email: string; password: string }> {
  let parsed: unknown
  try {
    parsed = JSON.parse(await readFile(file, 'utf8'))
  } catch (error) {
    // A parser's message would quote the file, and the file holds a password.
    const reason = (error as NodeJS.ErrnoException).code ?? 'not JSON'
    throw new Error(`MARU_OPERATOR_FILE cannot be read: ${reason} (${file})`)
  }
  const { email, password } = (parsed ?? {}) as { email?: unknown; password?: unknown }
  if (typeof email !== 'string' || typeof password !== 'string' || password.length < 8 || password.length > 128)
    throw new Error(`MARU_OPERATOR_FILE must hold {"email","password"} with a password of 8 to 128 characters (${file})`)
  return { email, password }
}

import type { ReplyOf } from '@maru/contracts'
import type { userEndpoints } from '@maru/contracts/http/user'
import type pg from 'pg'

export interface UserRow {
  id: string
  email: string
  username: string
  username_key: string
  password_hash: string
  roles: string[]
  status: 'active' | 'disabled'
  language: 'en' | 'ko'
  created_at: Date
  updated_at: Date
}

export type User = ReplyOf<(typeof userEndpoints)['me']>

export const userColumns =
  'u.id, u.email, u.username, u.username_key, u.password_hash, u.roles, u.status, u.language, u.created_at, u.updated_at'

/** What the world may see of a user: everything but the hash. */
export function toUser(row: UserRow): User {
  return {
    user_id: row.id,
    email: row.email,
    username: row.username,
    roles: row.roles.filter((role) => role === 'operator'),
    status: row.status,
    language: row.language,
    created_at: row.created_at.toISOString(),
    updated_at: row.updated_at.toISOString(),
  }
}

export async function findByLogin(
  pool: pg.Pool,
  login: { column: 'email_key' | 'username_key'; key: string },
): Promise<UserRow | undefined> {
  const { rows } = await pool.query<UserRow>({
    name: `user by ${login.column}`,
    text: `select ${userColumns} from users u where u.${login.column} = $1`,
    values: [login.key],
  })
  return rows[0]
}

export async function findById(pool: pg.Pool | pg.PoolClient, id: string): Promise<UserRow | undefined> {
  const { rows } = await pool.query<UserRow>({
    name: 'user by id',
    text: `select ${userColumns} from users u where u.id = $1`,
    values: [id],
  })
  return rows[0]
}

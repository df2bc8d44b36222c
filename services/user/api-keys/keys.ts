import { randomBytes } from 'node:crypto'
import { isIP } from 'node:net'
import type pg from 'pg'
import type { BodyOf, KeyScope, ReplyOf } from '@maru/contracts'
import type { apiKeyEndpoints } from '@maru/contracts/http/user-api-keys'
import { inTransaction, Problem } from '@maru/service-host'
import { writeAudit } from '../authorization/audit.ts'
import { createId } from '../ids.ts'
import { sealSecret } from './sealed-secret.ts'

/** Live keys of a user. */
export const keysMax = 20
const yearsMax = 10

type ApiKey = ReplyOf<typeof apiKeyEndpoints.renameApiKey>
type Wanted = Omit<BodyOf<typeof apiKeyEndpoints.createApiKey>, 'password'>

interface KeyRow {
  id: string
  label: string
  scopes: KeyScope[]
  addresses: string[]
  created_at: Date
  expires_at: Date | null
  last_used_at: Date | null
}

interface By {
  userId: string
  requestId: string
}

const columns = 'id, label, scopes, addresses, created_at, expires_at, last_used_at'
const isLive = 'revoked_at is null and (expires_at is null or expires_at > now())'

/**
 * Makes a key for a user whose password was just verified.
 * @throws Problem invalid_request, api_key_limit, invalid_credentials (the password was changed, or the user disabled, meanwhile)
 */
export async function createKey(
  pool: pg.Pool,
  sealingKey: Buffer,
  by: By & { passwordHash: string },
  wanted: Wanted,
): Promise<ReplyOf<typeof apiKeyEndpoints.createApiKey>> {
  const label = labelOf(wanted.label)
  const addresses = (wanted.addresses ?? []).map((text, index) => checkedAddress(text, index))
  const expiresAt = wanted.expires_at === undefined ? null : checkedExpiry(wanted.expires_at)
  const id = `mk_${createId().replaceAll('-', '')}`
  const secret = randomBytes(32).toString('base64url')
  const row = await inTransaction(pool, async (client) => {
    // The row of the user is held, so that keys made at once are counted one after the other.
    const { rowCount } = await client.query(`select 1 from users where id = $1 and password_hash = $2 and status = 'active' for update`, [
      by.userId,
      by.passwordHash,
    ])
    if (rowCount !== 1) throw new Problem('invalid_credentials')
    const { rows: counted } = await client.query<{ live: number }>(
      `select count(*)::int as live from api_keys where user_id = $1 and ${isLive}`,
      [by.userId],
    )
    if (counted[0]!.live >= keysMax) throw new Problem('api_key_limit')
    const { rows } = await client.query<KeyRow>(
      `insert into api_keys (id, user_id, label, scopes, addresses, sealed_secret, expires_at) values ($1, $2, $3, $4, $5, $6, $7) returning ${columns}`,
      [id, by.userId, label, wanted.scopes, addresses, sealSecret(secret, id, sealingKey), expiresAt],
    )
    await audit(client, 'api_key.created', by, { key_id: id, label, scopes: wanted.scopes, addresses, expires_at: expiresAt })
    return rows[0]!
  })
  return { ...toApiKey(row), secret }
}

/** Live keys, newest first. */
export async function listKeys(pool: pg.Pool, userId: string): Promise<ApiKey[]> {
  const { rows } = await pool.query<KeyRow>(
    `select ${columns} from api_keys where user_id = $1 and ${isLive} order by id desc limit ${keysMax}`,
    [userId],
  )
  return rows.map(toApiKey)
}

/** @throws Problem not_found */
export async function renameKey(pool: pg.Pool, by: By, id: string, label: string): Promise<ApiKey> {
  return inTransaction(pool, async (client) => {
    const { rows } = await client.query<KeyRow>(
      `update api_keys set label = $3 where id = $1 and user_id = $2 and ${isLive} returning ${columns}`,
      [id, by.userId, labelOf(label)],
    )
    if (!rows[0]) throw notFound()
    await audit(client, 'api_key.renamed', by, { key_id: id, label: rows[0].label })
    return toApiKey(rows[0])
  })
}

/** @throws Problem not_found */
export async function revokeKey(pool: pg.Pool, by: By, id: string): Promise<void> {
  await inTransaction(pool, async (client) => {
    // By the clock at the end of the statement: a token that was made while it waited is void too.
    const { rowCount } = await client.query(
      `update api_keys set revoked_at = clock_timestamp() where id = $1 and user_id = $2 and ${isLive}`,
      [id, by.userId],
    )
    if (rowCount !== 1) throw notFound()
    await audit(client, 'api_key.revoked', by, { key_id: id })
  })
}

function notFound(): Problem {
  return new Problem('not_found', 'You have no API key of this id.')
}

function audit(client: pg.PoolClient, action: `api_key.${'created' | 'renamed' | 'revoked'}`, by: By, data: Record<string, unknown>) {
  return writeAudit(client, { action, actor: by.userId, subject: by.userId, data, requestId: by.requestId })
}

function toApiKey(row: KeyRow): ApiKey {
  return {
    ...row,
    created_at: row.created_at.toISOString(),
    expires_at: row.expires_at?.toISOString() ?? null,
    last_used_at: row.last_used_at?.toISOString() ?? null,
  }
}

function faultAt(path: string, message: string): Problem {
  return new Problem('invalid_request', `${path}: ${message}.`, { errors: [{ path, message }] })
}

function labelOf(text: string): string {
  const label = text.normalize('NFC').trim()
  if (!text.isWellFormed() || label === '' || /\p{Cc}/u.test(label)) throw faultAt('label', 'must be text in one line')
  return label
}

function checkedAddress(text: string, index: number): string {
  const [address = '', prefix, ...rest] = text.split('/')
  const family = isIP(address)
  const bitsMax = family === 6 ? 128 : 32
  const isPrefix = prefix === undefined || (/^(?:0|[1-9]\d{0,2})$/.test(prefix) && Number(prefix) <= bitsMax)
  if (family === 0 || address.includes('%') || !isPrefix || rest.length > 0)
    throw faultAt(`addresses.${index}`, 'must be an address or a subnet, such as 203.0.113.7 or 2001:db8::/48')
  return text
}

function checkedExpiry(text: string): Date {
  const at = new Date(text)
  const isTime = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d{1,9})?(?:Z|[+-]\d{2}:\d{2})$/.test(text) && !Number.isNaN(at.getTime())
  if (!isTime) throw faultAt('expires_at', 'must be a time such as 2030-01-31T12:00:00Z')
  if (at.getTime() <= Date.now() || at.getTime() > Date.now() + yearsMax * 365 * 86_400_000)
    throw faultAt('expires_at', `must be in the future, by ${yearsMax} years at most`)
  return at
}

import { createHash, createHmac, randomBytes } from 'node:crypto'
import type pg from 'pg'
import { inTransaction, Problem } from '@maru/service-host'
import { writeAudit } from '../authorization/audit.ts'
import { createId } from '../ids.ts'
import { userColumns, type UserRow } from '../store/users.ts'

/** Live sessions of a user; a login past it ends the oldest. */
export const sessionsMax = 50
/** Refreshes of a session within a minute before 429. */
const refreshesPerMinuteMax = 30
/** Tokens of a session that are still recognised; one older than these is merely unknown. */
const tokensRememberedMax = 200

export interface Device {
  userAgent: string | null
  address: string | null
}

export interface OpenedSession {
  sessionId: string
  refreshToken: string
}

export type EndReason = 'logout' | 'revoked' | 'password_changed' | 'disabled' | 'token_reused' | 'too_many'

const sha256 = (text: string): Buffer => createHash('sha256').update(text).digest()

/**
 * The token that follows `token`. Derived, not drawn: whoever repeats a refresh whose answer was lost gets the same next token
 * though only hashes are stored, and a session never forks into two lines of tokens.
 */
function successorOf(token: string, secret: Buffer): string {
  return createHmac('sha256', secret).update(token).digest('base64url')
}

/** Opens a session for a user whose password was just verified. Undefined when the password or the status has changed since. */
export async function openSession(client: pg.PoolClient, user: UserRow, device: Device): Promise<OpenedSession | undefined> {
  const sessionId = createId()
  const refreshToken = randomBytes(32).toString('base64url')
  const { rowCount } = await client.query(
    `insert into sessions (id, user_id, expires_at, user_agent, address)
     select $1, u.id, now() + interval '30 days', $4, $5 from users u
     where u.id = $2 and u.password_hash = $3 and u.status = 'active' for share`,
    [sessionId, user.id, user.password_hash, device.userAgent, device.address],
  )
  if (rowCount !== 1) return undefined
  await client.query('insert into refresh_tokens (hash, session_id, generation) values ($1, $2, 1)', [sha256(refreshToken), sessionId])
  await client.query(
    `update sessions set ended_at = now(), end_reason = 'too_many' where id in
       (select id from sessions where user_id = $1 and ended_at is null order by id desc offset $2)`,
    [user.id, sessionsMax],
  )
  return { sessionId, refreshToken }
}

interface TokenState {
  generation: string
  rotated: boolean
  recent: boolean
}

type Rotation = { kind: 'next'; user: UserRow; session: OpenedSession } | { kind: 'refused'; problem: Problem }

/**
 * Exchanges a refresh token for its successor. A token that was exchanged already is either a repeat within seconds, which gets
 * the same successor while that one is unused, or a copy in other hands: then the session ends.
 * @throws Problem invalid_refresh_token, account_disabled, rate_limited
 */
export async function rotateRefreshToken(
  pool: pg.Pool,
  secret: Buffer,
  token: string,
  requestId: string,
): Promise<{ user: UserRow; session: OpenedSession }> {
  const hash = sha256(token)
  const outcome = await inTransaction(pool, async (client): Promise<Rotation> => {
    const refuse = (problem: Problem): Rotation => ({ kind: 'refused', problem })
    // The session is locked first and the token read after, so that refreshes at once go one after the other.
    const { rows: sessions } = await client.query<{ id: string; user_id: string; live: boolean; too_often: boolean }>(
      `select id, user_id, (ended_at is null and expires_at > now()) as live,
         (refresh_window_started_at > now() - interval '1 minute' and refreshes >= $2) as too_often
       from sessions where id = (select session_id from refresh_tokens where hash = $1) for update`,
      [hash, refreshesPerMinuteMax],
    )
    const session = sessions[0]
    if (!session) return refuse(new Problem('invalid_refresh_token'))
    const { rows: users } = await client.query<UserRow>(`select ${userColumns} from users u where u.id = $1`, [session.user_id])
    const user = users[0]
    if (!user) return refuse(new Problem('invalid_refresh_token'))
    if (user.status === 'disabled') return refuse(new Problem('account_disabled'))
    if (!session.live) return refuse(new Problem('invalid_refresh_token'))
    if (session.too_often) return refuse(new Problem('rate_limited', 'Too many refreshes of this session.', { retryAfterSeconds: 60 }))
    const { rows: tokens } = await client.query<TokenState>(
      `select generation, rotated_at is not null as rotated, coalesce(rotated_at > clock_timestamp() - interval '10 seconds', false) as recent
       from refresh_tokens where hash = $1`,
      [hash],
    )
    const state = tokens[0]
    if (!state) return refuse(new Problem('invalid_refresh_token'))
    const refreshToken = successorOf(token, secret)
    const next: Rotation = { kind: 'next', user, session: { sessionId: session.id, refreshToken } }
    if (state.rotated) {
      const { rowCount } = await client.query('select 1 from refresh_tokens where hash = $1 and session_id = $2 and rotated_at is null', [
        sha256(refreshToken),
        session.id,
      ])
      if (state.recent && rowCount === 1) return next
      await endSessions(client, user.id, { only: session.id, reason: 'token_reused' })
      await writeAudit(client, {
        action: 'session.token_reused',
        actor: null,
        subject: user.id,
        data: { session_id: session.id },
        requestId,
      })
      return refuse(new Problem('invalid_refresh_token', 'This refresh token was used before; its session has been ended. Log in again.'))
    }
    const generation = BigInt(state.generation) + 1n
    await client.query('update refresh_tokens set rotated_at = clock_timestamp() where hash = $1', [hash])
    await client.query('insert into refresh_tokens (hash, session_id, generation) values ($1, $2, $3)', [
      sha256(refreshToken),
      session.id,
      generation,
    ])
    await client.query('delete from refresh_tokens where session_id = $1 and generation <= $2', [
      session.id,
      generation - BigInt(tokensRememberedMax),
    ])
    await client.query(
      `update sessions set last_used_at = now(), expires_at = least(now() + interval '30 days', created_at + interval '90 days'),
         refreshes = case when refresh_window_started_at > now() - interval '1 minute' then refreshes + 1 else 1 end,
         refresh_window_started_at = case when refresh_window_started_at > now() - interval '1 minute' then refresh_window_started_at else now() end
       where id = $1`,
      [session.id],
    )
    return next
  })
  if (outcome.kind === 'refused') throw outcome.problem
  return outcome
}

/** Ends live sessions of a user: one, all but one, or all. Returns how many. */
export async function endSessions(
  client: pg.PoolClient,
  userId: string,
  which: { only?: string; except?: string; reason: EndReason },
): Promise<number> {
  const { rowCount } = await client.query(
    `update sessions set ended_at = now(), end_reason = $4
     where user_id = $1 and ended_at is null and expires_at > now() and ($2::text is null or id = $2) and ($3::text is null or id <> $3)`,
    [userId, which.only ?? null, which.except ?? null, which.reason],
  )
  return rowCount ?? 0
}

export async function listSessions(pool: pg.Pool, userId: string, currentId: string) {
  const { rows } = await pool.query<{
    id: string
    created_at: Date
    last_used_at: Date
    expires_at: Date
    user_agent: string | null
    address: string | null
  }>(
    `select id, created_at, last_used_at, expires_at, user_agent, address from sessions
     where user_id = $1 and ended_at is null and expires_at > now() order by id desc limit $2`,
    [userId, sessionsMax],
  )
  return rows.map((row) => ({
    ...row,
    created_at: row.created_at.toISOString(),
    last_used_at: row.last_used_at.toISOString(),
    expires_at: row.expires_at.toISOString(),
    current: row.id === currentId,
  }))
}

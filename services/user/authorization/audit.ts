import type pg from 'pg'

export type AuditAction =
  | 'user.registered'
  | 'user.logged_in'
  | 'user.logged_out'
  | 'user.password_changed'
  | 'user.profile_changed'
  | 'user.roles_changed'
  | 'user.status_changed'
  | 'session.revoked'
  | 'session.token_reused'
  | 'api_key.created'
  | 'api_key.renamed'
  | 'api_key.revoked'

export interface AuditRecord {
  action: AuditAction
  /** Who did it; null: the platform. */
  actor: string | null
  subject: string
  data?: Record<string, unknown>
  requestId?: string
}

/** Writes within the transaction of the change itself: one is never there without the other. */
export async function writeAudit(client: pg.PoolClient, record: AuditRecord): Promise<void> {
  await client.query('insert into audit (action, actor, subject, data, request_id) values ($1, $2, $3, $4, $5)', [
    record.action,
    record.actor,
    record.subject,
    JSON.stringify(record.data ?? {}),
    record.requestId ?? null,
  ])
}

interface AuditRow {
  id: string
  at: Date
  action: string
  actor: string | null
  subject: string | null
  data: Record<string, unknown>
  request_id: string | null
}

/** Newest first. `cursor` is the id of the last entry seen. */
export async function listAudit(
  pool: pg.Pool,
  filter: { limit: number; cursor: bigint | undefined; subject: string | undefined; actor: string | undefined },
) {
  const { rows } = await pool.query<AuditRow>(
    `select id, at, action, actor, subject, data, request_id from audit
     where ($1::bigint is null or id < $1) and ($2::text is null or subject = $2) and ($3::text is null or actor = $3)
     order by id desc limit $4`,
    [filter.cursor ?? null, filter.subject ?? null, filter.actor ?? null, filter.limit + 1],
  )
  const items = rows.slice(0, filter.limit).map(({ at, id, ...row }) => ({ ...row, id: id.padStart(16, '0'), timestamp: at.toISOString() }))
  return { items, next_cursor: rows.length > filter.limit ? (items.at(-1)?.id ?? null) : null }
}

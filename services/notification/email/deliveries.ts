import type { ReplyOf } from '@maru/contracts'
import type { NotificationKind, notificationEndpoints } from '@maru/contracts/http/notification'
import type pg from 'pg'
import { showId } from '../inbox/inbox.ts'

/**
 * The states of a mail: `queued` → `sent`, or `failed` after the last attempt, or `not_sent` where it could not even be tried.
 * An operator can queue the last two again.
 */
export type DeliveryStatus = 'queued' | 'sent' | 'failed' | 'not_sent'
export type NotSentReason = 'smtp_not_configured' | 'no_address' | 'rate_limited'
export type FailedReason = 'refused' | 'unreachable'

export type Delivery = ReplyOf<typeof notificationEndpoints.retryDelivery>

interface DeliveryRow {
  id: string
  notification_id: string
  user_id: string
  kind: NotificationKind
  status: DeliveryStatus
  reason: string | null
  attempts: number
  last_error: string | null
  message_id: string
  next_attempt_at: Date
  created_at: Date
  sent_at: Date | null
}

const columns =
  'd.id, d.notification_id, d.user_id, n.kind, d.status, d.reason, d.attempts, d.last_error, d.message_id, d.next_attempt_at, d.created_at, d.sent_at'

function toDelivery(row: DeliveryRow): Delivery {
  return {
    ...row,
    id: showId(row.id),
    notification_id: showId(row.notification_id),
    channel: 'email',
    next_attempt_at: row.status === 'queued' ? row.next_attempt_at.toISOString() : null,
    created_at: row.created_at.toISOString(),
    sent_at: row.sent_at?.toISOString() ?? null,
  }
}

/** Newest first. */
export async function listDeliveries(
  pool: pg.Pool,
  filter: { limit: number; cursor: bigint | undefined; status: DeliveryStatus | undefined; userId: string | undefined },
): Promise<{ items: Delivery[]; next_cursor: string | null }> {
  const { rows } = await pool.query<DeliveryRow>(
    `select ${columns} from deliveries d join notifications n on n.id = d.notification_id
     where ($1::bigint is null or d.id < $1) and ($2::text is null or d.status = $2) and ($3::text is null or d.user_id = $3) order by d.id desc limit $4`,
    [filter.cursor ?? null, filter.status ?? null, filter.userId ?? null, filter.limit + 1],
  )
  const items = rows.slice(0, filter.limit).map(toDelivery)
  return { items, next_cursor: rows.length > filter.limit ? (items.at(-1)?.id ?? null) : null }
}

/** Queues a mail again that failed or was not sent. `not_retryable` where it is queued or sent. */
export async function retryDelivery(pool: pg.Pool, id: bigint, canMail: boolean): Promise<Delivery | 'not_found' | 'not_retryable'> {
  // Without a mail server it stays what it is, with the reason of today.
  const { rowCount } = await pool.query(
    `update deliveries set status = $2, reason = $3, attempts = 0, next_attempt_at = now() where id = $1 and status in ('failed', 'not_sent')`,
    [id, canMail ? 'queued' : 'not_sent', canMail ? null : 'smtp_not_configured'],
  )
  const { rows } = await pool.query<DeliveryRow>(
    `select ${columns} from deliveries d join notifications n on n.id = d.notification_id where d.id = $1`,
    [id],
  )
  if (!rows[0]) return 'not_found'
  return rowCount === 1 ? toDelivery(rows[0]) : 'not_retryable'
}

/** A mail that this instance alone works on until the claim lapses. */
export interface ClaimedDelivery {
  id: string
  user_id: string
  /** This attempt, from 1; whoever claims after a lapse has a higher one. */
  attempts: number
  message_id: string
  /** `topic:id` of the event it tells of. */
  event_key: string
  kind: NotificationKind
  data: Record<string, unknown>
  created_at: Date
  email: string | null
  username: string | null
  language: 'en' | 'ko'
  /** Mails to the user within the last hour, those before it in this claim counted. */
  mails_before: number
}

/** Claims up to `limit` due mails for `claimMs`; other instances pass over them meanwhile. */
export async function claimDeliveries(pool: pg.Pool, limit: number, claimMs: number): Promise<ClaimedDelivery[]> {
  const { rows } = await pool.query<ClaimedDelivery>(
    `with due as (
       select id from deliveries where status = 'queued' and next_attempt_at <= now() order by next_attempt_at limit $1 for update skip locked
     ), claimed as (
       update deliveries d set attempts = attempts + 1, next_attempt_at = now() + make_interval(secs => $2 / 1000.0) from due where d.id = due.id returning d.*
     )
     select c.id, c.user_id, c.attempts, c.message_id, n.event_key, n.kind, n.data, n.created_at, r.email, r.username,
       coalesce(p.language, r.language, 'en') as language,
       (select count(*)::int from deliveries s where s.user_id = c.user_id and s.status = 'sent' and s.sent_at > now() - interval '1 hour')
         + (row_number() over (partition by c.user_id order by c.id))::int - 1 as mails_before
     from claimed c join notifications n on n.id = c.notification_id
       left join recipients r on r.user_id = c.user_id left join preferences p on p.user_id = c.user_id
     order by c.id`,
    [limit, claimMs],
  )
  return rows
}

export type Outcome =
  | { status: 'sent' }
  | { status: 'queued'; retryInMs: number; error: string }
  | { status: 'failed'; reason: FailedReason; error: string }
  | { status: 'not_sent'; reason: NotSentReason }

/** Records what became of an attempt, unless its claim has lapsed and another one has begun. */
export async function settleDelivery(pool: pg.Pool, claimed: ClaimedDelivery, outcome: Outcome): Promise<void> {
  const error = 'error' in outcome ? outcome.error : null
  await pool.query(
    `update deliveries set status = $3, reason = $4, last_error = coalesce($5, last_error),
       next_attempt_at = now() + make_interval(secs => $6 / 1000.0), sent_at = case when $3 = 'sent' then now() end
     where id = $1 and attempts = $2 and status = 'queued'`,
    [
      claimed.id,
      claimed.attempts,
      outcome.status,
      'reason' in outcome ? outcome.reason : null,
      error,
      'retryInMs' in outcome ? outcome.retryInMs : 0,
    ],
  )
}

/** Without a mail server nothing waits: what is queued becomes not sent, and says why. */
export async function giveUpQueued(pool: pg.Pool): Promise<void> {
  await pool.query(`update deliveries set status = 'not_sent', reason = 'smtp_not_configured' where status = 'queued'`)
}

import type { ReplyOf } from '@maru/contracts'
import type { NotificationKind, notificationEndpoints } from '@maru/contracts/http/notification'
import { onConnection } from '@maru/service-host'
import type pg from 'pg'
import { render } from '../templates/index.ts'
import { languageOf, type Language } from './preferences.ts'

export type Inbox = ReplyOf<typeof notificationEndpoints.notifications>
export type InboxItem = Inbox['items'][number]

interface ItemRow {
  id: string
  kind: NotificationKind
  data: Record<string, unknown>
  created_at: Date
  read_at: Date | null
  email_status: NonNullable<InboxItem['email']>['status'] | null
  email_reason: string | null
}

const itemColumns = 'n.id, n.kind, n.data, n.created_at, n.read_at, d.status as email_status, d.reason as email_reason'
const withMail = `left join deliveries d on d.notification_id = n.id and d.channel = 'email'`
const newestFirst = `select ${itemColumns} from notifications n ${withMail} where n.user_id = $1 and n.in_inbox`

/** Ids are shown with leading zeros, so that they sort as text. */
export function showId(id: string): string {
  return id.padStart(16, '0')
}

function toItem(row: ItemRow, language: Language): InboxItem {
  return {
    id: showId(row.id),
    kind: row.kind,
    ...render(language, row.kind, row.data),
    data: row.data,
    created_at: row.created_at.toISOString(),
    read_at: row.read_at?.toISOString() ?? null,
    email: row.email_status === null ? null : { status: row.email_status, reason: row.email_reason },
  }
}

/** Above every id: of a bigint. */
const idMax = 2n ** 63n - 1n

/** Newest first; `cursor` is the id of the last item seen. */
export async function readInbox(
  pool: pg.Pool,
  userId: string,
  filter: { unread: boolean; limit: number; cursor: bigint | undefined },
): Promise<Inbox> {
  const [language, { rows }, { rows: counts }] = await onConnection(pool, (client) =>
    Promise.all([
      languageOf(client, userId),
      // Not prepared: a plan made while the tables were small would read all deliveries for each item, until the tables are next analysed.
      client.query<ItemRow>(`${newestFirst} ${filter.unread ? 'and n.read_at is null' : ''} and n.id < $2 order by n.id desc limit $3`, [
        userId,
        filter.cursor ?? idMax,
        filter.limit + 1,
      ]),
      client.query<{ unread: number }>({
        name: 'count unread',
        text: 'select count(*)::int as unread from notifications where user_id = $1 and in_inbox and read_at is null',
        values: [userId],
      }),
    ]),
  )
  const items = rows.slice(0, filter.limit).map((row) => toItem(row, language))
  return { items, next_cursor: rows.length > filter.limit ? (items.at(-1)?.id ?? null) : null, unread_count: counts[0]?.unread ?? 0 }
}

/** Marks one as read; a second time changes nothing. Undefined where the user has no such item. */
export async function markRead(pool: pg.Pool, userId: string, id: bigint): Promise<InboxItem | undefined> {
  const { rowCount } = await pool.query(
    'update notifications set read_at = coalesce(read_at, now()) where id = $1 and user_id = $2 and in_inbox',
    [id, userId],
  )
  if (rowCount !== 1) return undefined
  const { rows } = await pool.query<ItemRow>(`select ${itemColumns} from notifications n ${withMail} where n.id = $1 and n.user_id = $2`, [
    id,
    userId,
  ])
  return rows[0] && toItem(rows[0], await languageOf(pool, userId))
}

/** Returns how many were unread. */
export async function markAllRead(pool: pg.Pool, userId: string): Promise<number> {
  const { rowCount } = await pool.query('update notifications set read_at = now() where user_id = $1 and in_inbox and read_at is null', [
    userId,
  ])
  return rowCount ?? 0
}

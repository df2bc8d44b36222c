import { notificationKinds, type NotificationKind, type notificationEndpoints } from '@maru/contracts/http/notification'
import type { BodyOf, ReplyOf } from '@maru/contracts'
import type pg from 'pg'
import { inTransaction } from '@maru/service-host'

export type Channel = 'inbox' | 'email'
export type Language = 'en' | 'ko'

/** Everything lands in the inbox; mail tells what a trader who is away would want to know, without one mail for each part fill. */
const mailedByDefault: Record<NotificationKind, boolean> = {
  welcome: true,
  order_filled: true,
  order_partially_filled: false,
  order_rejected: false,
  order_cancelled: false,
  order_expired: true,
  stop_triggered: true,
  funds_moved: true,
}

export function enabledByDefault(kind: NotificationKind, channel: Channel): boolean {
  return channel === 'inbox' || mailedByDefault[kind]
}

interface ChoiceRow {
  user_id: string
  kind: NotificationKind
  channel: Channel
  enabled: boolean
}

/** Answers whether a user wants a kind by a channel, for all users given, from one query. */
export async function loadChoices(
  client: pg.PoolClient,
  userIds: readonly string[],
): Promise<(userId: string, kind: NotificationKind, channel: Channel) => boolean> {
  const { rows } = await client.query<ChoiceRow>({
    name: 'choices',
    text: 'select user_id, kind, channel, enabled from channel_choices where user_id = any($1)',
    values: [userIds],
  })
  const chosen = new Map(rows.map((row) => [`${row.user_id} ${row.kind} ${row.channel}`, row.enabled]))
  return (userId, kind, channel) => chosen.get(`${userId} ${kind} ${channel}`) ?? enabledByDefault(kind, channel)
}

export type Preferences = ReplyOf<typeof notificationEndpoints.preferences>

/** The language a user is written in: chosen here, else the one of the profile, else English. */
export async function languageOf(database: Pick<pg.ClientBase, 'query'>, userId: string): Promise<Language> {
  const { rows } = await database.query<{ language: Language | null }>({
    name: 'language',
    text: `select coalesce((select language from preferences where user_id = $1), (select language from recipients where user_id = $1)) as language`,
    values: [userId],
  })
  return rows[0]?.language ?? 'en'
}

export async function readPreferences(pool: pg.Pool, userId: string): Promise<Preferences> {
  const { rows } = await pool.query<ChoiceRow>('select user_id, kind, channel, enabled from channel_choices where user_id = $1', [userId])
  const switchOf = (kind: NotificationKind, channel: Channel): boolean =>
    rows.find((row) => row.kind === kind && row.channel === channel)?.enabled ?? enabledByDefault(kind, channel)
  const events = Object.fromEntries(
    notificationKinds.map((kind) => [kind, { inbox: switchOf(kind, 'inbox'), email: switchOf(kind, 'email') }]),
  )
  return { language: await languageOf(pool, userId), events: events as Preferences['events'] }
}

/** Changes what is named and leaves the rest. */
export async function changePreferences(
  pool: pg.Pool,
  userId: string,
  change: BodyOf<typeof notificationEndpoints.setPreferences>,
): Promise<void> {
  const choices: Omit<ChoiceRow, 'user_id'>[] = []
  for (const kind of notificationKinds) {
    const switches = change.events?.[kind]
    if (switches?.inbox !== undefined) choices.push({ kind, channel: 'inbox', enabled: switches.inbox })
    if (switches?.email !== undefined) choices.push({ kind, channel: 'email', enabled: switches.email })
  }
  await inTransaction(pool, async (client) => {
    if (change.language !== undefined)
      await client.query(
        'insert into preferences (user_id, language) values ($1, $2) on conflict (user_id) do update set language = excluded.language',
        [userId, change.language],
      )
    if (choices.length > 0)
      await client.query(
        `insert into channel_choices (user_id, kind, channel, enabled) select $1, * from unnest($2::text[], $3::text[], $4::boolean[])
         on conflict (user_id, kind, channel) do update set enabled = excluded.enabled`,
        [userId, choices.map((choice) => choice.kind), choices.map((choice) => choice.channel), choices.map((choice) => choice.enabled)],
      )
  })
}

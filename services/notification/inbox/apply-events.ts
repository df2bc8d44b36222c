import { createHash } from 'node:crypto'
import { systemUserPrefix, type Topic, type TradingEvent, type UserEvent } from '@maru/contracts'
import type pg from 'pg'
import type { InboxTrimmer } from './inbox-trimmer.ts'
import { noteworthy } from './noteworthy.ts'
import { loadChoices } from './preferences.ts'

export interface ApplyOptions {
  trimmer: InboxTrimmer
  /** False without an SMTP server: mails are kept as not sent. */
  canMail: boolean
  /** Right-hand side of Message-IDs. */
  mailDomain: string
}

/**
 * Turns events into inbox items and queued mails, within the transaction that saves the reader's position. Seen again, an
 * event changes nothing. Types it does not know are passed over.
 */
export async function applyEvents(
  client: pg.PoolClient,
  topic: Topic,
  events: readonly (TradingEvent | UserEvent)[],
  options: ApplyOptions,
): Promise<void> {
  for (const event of events) await rememberRecipient(client, event)
  const told = events.flatMap((event) => {
    const found = noteworthy(event)
    return found ? [{ ...found, eventKey: `${topic}:${event.id}`, at: event.timestamp }] : []
  })
  if (told.length === 0) return
  const userIds = [...new Set(told.map((item) => item.userId))]
  const wants = await loadChoices(client, userIds)
  const wanted = told
    .map((item) => ({
      ...item,
      inbox: wants(item.userId, item.kind, 'inbox'),
      email: item.mailable && wants(item.userId, item.kind, 'email'),
    }))
    .filter((item) => item.inbox || item.email)
  if (wanted.length === 0) return

  const mails = wanted.filter((item) => item.email)
  await client.query({
    name: 'add notifications and deliveries',
    text: `with added as (
       insert into notifications (user_id, event_key, kind, data, in_inbox, created_at)
       select * from unnest($1::text[], $2::text[], $3::text[], $4::jsonb[], $5::boolean[], $6::timestamptz[])
       on conflict (event_key) do nothing returning id, user_id, event_key
     )
     insert into deliveries (notification_id, user_id, channel, status, reason, message_id)
     select id, user_id, 'email', $9, $10, message_id from added join unnest($7::text[], $8::text[]) as mail (event_key, message_id) using (event_key)
     on conflict (notification_id, channel) do nothing`,
    values: [
      wanted.map((item) => item.userId),
      wanted.map((item) => item.eventKey),
      wanted.map((item) => item.kind),
      wanted.map((item) => toJson(item.data)),
      wanted.map((item) => item.inbox),
      wanted.map((item) => item.at),
      mails.map((item) => item.eventKey),
      mails.map((item) => messageIdOf(item.eventKey, options.mailDomain)),
      options.canMail ? 'queued' : 'not_sent',
      options.canMail ? null : 'smtp_not_configured',
    ],
  })
  await options.trimmer.added(client, wanted)
}

/** PostgreSQL holds no NUL in text. */
function toJson(data: Record<string, unknown>): string {
  return JSON.stringify(data, (_name, value: unknown) => (typeof value === 'string' ? value.replaceAll('\0', '') : value))
}

/** The same for the same event for ever, so that a mail sent twice around a crash can be told as one. */
function messageIdOf(eventKey: string, domain: string): string {
  return `<${createHash('sha256').update(`email:${eventKey}`).digest('hex').slice(0, 40)}@${domain}>`
}

async function rememberRecipient(client: pg.PoolClient, event: TradingEvent | UserEvent): Promise<void> {
  if (event.type === 'user.registered') {
    const { user_id, email, username, language } = event.data
    if (user_id.startsWith(systemUserPrefix)) return
    await client.query(
      'insert into recipients (user_id, email, username, language) values ($1, $2, $3, $4) on conflict (user_id) do nothing',
      [user_id, email, username, language === 'ko' ? 'ko' : 'en'],
    )
  } else if (event.type === 'user.profile_changed') {
    const { user_id, username, language } = event.data
    await client.query('update recipients set username = $2, language = $3 where user_id = $1', [
      user_id,
      username,
      language === 'ko' ? 'ko' : 'en',
    ])
  }
}

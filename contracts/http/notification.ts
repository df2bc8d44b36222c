import type { TObject, TOptional } from 'typebox'
import { Type } from '../type.ts'
import { endpoint } from '../endpoint.ts'
import { Cursor, Limit, ListOf, Strict, Timestamp, UserId } from '../schemas.ts'
import { Language } from './user.ts'

/** The HTTP face of the notification service: the inbox, what is told by which channel, and what became of each mail. */

/** What users are told about, in the order in which preferences list it. */
export const notificationKinds = [
  'welcome',
  'order_filled',
  'order_partially_filled',
  'order_rejected',
  'order_cancelled',
  'order_expired',
  'stop_triggered',
  'funds_moved',
] as const
export type NotificationKind = (typeof notificationKinds)[number]

const Kind = Type.Enum(notificationKinds)

export const DeliveryStatus = Type.Union([Type.Literal('queued'), Type.Literal('sent'), Type.Literal('failed'), Type.Literal('not_sent')])

const Reason = Type.Union([Type.String(), Type.Null()], {
  description: 'Why it was not sent: smtp_not_configured, no_address, rate_limited, refused, unreachable.',
})

export const Notification = Type.Object({
  id: Type.String(),
  kind: Kind,
  title: Type.String({ description: 'In the language of the user.' }),
  body: Type.String(),
  data: Type.Record(Type.String(), Type.Unknown(), { description: 'The figures the text is made from.' }),
  created_at: Timestamp,
  read_at: Type.Union([Timestamp, Type.Null()]),
  email: Type.Union([Type.Object({ status: DeliveryStatus, reason: Reason }), Type.Null()], {
    description: 'Null where no mail was wanted.',
  }),
})

const channelSwitches = { inbox: Type.Boolean(), email: Type.Boolean() }

const Preferences = Type.Object({
  language: Language,
  events: Type.Object(
    Object.fromEntries(notificationKinds.map((kind) => [kind, Type.Object(channelSwitches)])) as Record<
      NotificationKind,
      TObject<typeof channelSwitches>
    >,
  ),
})

const optionalSwitches = { inbox: Type.Optional(Type.Boolean()), email: Type.Optional(Type.Boolean()) }
const eventChanges = Object.fromEntries(
  notificationKinds.map((kind) => [kind, Type.Optional(Type.Object(optionalSwitches, { additionalProperties: false }))]),
) as Record<NotificationKind, TOptional<TObject<typeof optionalSwitches>>>

const Delivery = Type.Object({
  id: Type.String(),
  notification_id: Type.String(),
  user_id: UserId,
  channel: Type.Literal('email'),
  kind: Kind,
  status: DeliveryStatus,
  reason: Reason,
  attempts: Type.Integer(),
  last_error: Type.Union([Type.String(), Type.Null()], { description: 'What the mail server said last.' }),
  message_id: Type.String({ description: 'The same at every attempt.' }),
  next_attempt_at: Type.Union([Timestamp, Type.Null()]),
  created_at: Timestamp,
  sent_at: Type.Union([Timestamp, Type.Null()]),
})

const ItemId = Type.String({ pattern: '^[0-9]{1,19}$', maxLength: 19, description: 'An id of digits, as lists give it.' })

export const notificationEndpoints = {
  notifications: endpoint({
    service: 'notification',
    method: 'GET',
    path: '/notifications',
    access: 'user',
    keyScope: 'read',
    summary: 'My inbox, newest first',
    query: Strict({
      unread: Type.Optional(
        Type.String({ pattern: '^(|true|false|1|0)$', maxLength: 5, description: '`?unread` or `?unread=true`: only what was not read.' }),
      ),
      limit: Limit(50, 200),
      cursor: Cursor,
    }),
    status: 200,
    reply: Type.Object({
      items: Type.Array(Notification),
      next_cursor: Type.Union([Type.String(), Type.Null()]),
      unread_count: Type.Integer(),
    }),
  }),
  markRead: endpoint({
    service: 'notification',
    method: 'PUT',
    path: '/notifications/:id/read',
    access: 'user',
    summary: 'Mark one as read',
    params: Type.Object({ id: ItemId }),
    status: 200,
    reply: Notification,
    errors: ['not_found'],
  }),
  markAllRead: endpoint({
    service: 'notification',
    method: 'POST',
    path: '/notifications/read-all',
    access: 'user',
    summary: 'Mark all as read',
    status: 200,
    reply: Type.Object({ updated: Type.Integer({ description: 'How many were unread.' }) }),
  }),
  preferences: endpoint({
    service: 'notification',
    method: 'GET',
    path: '/preferences',
    access: 'user',
    keyScope: 'read',
    summary: 'What I am told, and how',
    status: 200,
    reply: Preferences,
  }),
  setPreferences: endpoint({
    service: 'notification',
    method: 'PUT',
    path: '/preferences',
    access: 'user',
    summary: 'Choose what I am told, and how',
    description: 'What is not named stays as it is. Holds for what happens from now on.',
    body: Strict(
      { language: Type.Optional(Language), events: Type.Optional(Type.Object(eventChanges, { additionalProperties: false })) },
      { minProperties: 1 },
    ),
    status: 200,
    reply: Preferences,
  }),
  deliveries: endpoint({
    service: 'notification',
    method: 'GET',
    path: '/deliveries',
    access: 'operator',
    summary: 'Mails and what became of them, newest first',
    query: Strict({ limit: Limit(50, 200), cursor: Cursor, status: Type.Optional(DeliveryStatus), user_id: Type.Optional(UserId) }),
    status: 200,
    reply: ListOf(Delivery),
  }),
  retryDelivery: endpoint({
    service: 'notification',
    method: 'POST',
    path: '/deliveries/:id/retry',
    access: 'operator',
    summary: 'Queue a mail again that failed or was not sent',
    params: Type.Object({ id: ItemId }),
    status: 200,
    reply: Delivery,
    errors: ['not_found', 'delivery_not_retryable'],
  }),
} as const

import type pg from 'pg'
import { notificationEndpoints } from '@maru/contracts/http/notification'
import { Problem, type HttpService } from '@maru/service-host'
import { listDeliveries, retryDelivery } from './email/deliveries.ts'
import { markAllRead, markRead, readInbox } from './inbox/inbox.ts'
import { changePreferences, readPreferences } from './inbox/preferences.ts'

/** Every user sees their own items alone: whose they are comes from the token, never from the request. */
export function serveNotification(http: Pick<HttpService, 'serve'>, { pool, canMail }: { pool: pg.Pool; canMail: boolean }): void {
  http.serve(notificationEndpoints.notifications, ({ identity, query }) =>
    readInbox(pool, identity.userId, {
      unread: query.unread === '' || query.unread === 'true' || query.unread === '1',
      limit: query.limit ?? 50,
      cursor: position(query.cursor),
    }),
  )

  http.serve(notificationEndpoints.markRead, async ({ identity, params }) => {
    const item = await markRead(pool, identity.userId, identifier(params.id))
    if (!item) throw new Problem('not_found', 'You have no notification of this id.')
    return item
  })

  http.serve(notificationEndpoints.markAllRead, async ({ identity }) => ({ updated: await markAllRead(pool, identity.userId) }))

  http.serve(notificationEndpoints.preferences, ({ identity }) => readPreferences(pool, identity.userId))

  http.serve(notificationEndpoints.setPreferences, async ({ identity, body }) => {
    await changePreferences(pool, identity.userId, body)
    return readPreferences(pool, identity.userId)
  })

  http.serve(notificationEndpoints.deliveries, ({ query }) =>
    listDeliveries(pool, { limit: query.limit ?? 50, cursor: position(query.cursor), status: query.status, userId: query.user_id }),
  )

  http.serve(notificationEndpoints.retryDelivery, async ({ params }) => {
    const delivery = await retryDelivery(pool, identifier(params.id), canMail)
    if (delivery === 'not_found') throw new Problem('not_found', 'There is no delivery of this id.')
    if (delivery === 'not_retryable') throw new Problem('delivery_not_retryable')
    return delivery
  })
}

const bigintMax = 2n ** 63n - 1n

/** Nothing has an id beyond what the database can count. */
function identifier(text: string): bigint {
  const id = BigInt(text)
  if (id > bigintMax) throw new Problem('not_found')
  return id
}

function position(cursor: string | undefined): bigint | undefined {
  if (cursor === undefined) return undefined
  if (!/^[0-9]{1,18}$/.test(cursor))
    throw new Problem('invalid_request', undefined, { errors: [{ path: 'cursor', message: 'is not a cursor of this list' }] })
  return BigInt(cursor)
}

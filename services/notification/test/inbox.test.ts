import { afterAll, beforeAll, expect, test } from 'vitest'
import { giveUpQueued } from '../email/deliveries.ts'
import { inboxMax } from '../inbox/inbox-trimmer.ts'
import { markAllRead, markRead, readInbox } from '../inbox/inbox.ts'
import { changePreferences, readPreferences } from '../inbox/preferences.ts'
import { fundsMoved, orderEvent, profileChanged, registered } from './events.ts'
import { openStore, type Store } from './open.ts'

let store: Store

beforeAll(async () => {
  store = await openStore()
})

afterAll(async () => {
  await store[Symbol.asyncDispose]()
})

const inbox = (userId: string, more: { unread?: boolean; limit?: number; cursor?: bigint } = {}) =>
  readInbox(store.pool, userId, { unread: more.unread ?? false, limit: more.limit ?? 50, cursor: more.cursor })

test('given an event twice, in one batch and in two, then it is told once', async () => {
  const filled = orderEvent('order.status_updated', 'once')
  await store.apply('user-events', [registered('once'), registered('once')])
  await store.apply('trading-events', [filled, filled])
  await store.apply('trading-events', [filled])
  await store.apply('user-events', [registered('once')])
  expect((await inbox('once')).items.map((item) => item.kind)).toEqual(['order_filled', 'welcome'])
  const { rows } = await store.pool.query(`select 1 from deliveries where user_id = 'once'`)
  expect(rows).toHaveLength(2)
})

test('given the same id on two topics, then both are told', async () => {
  const welcome = registered('topics')
  await store.apply('user-events', [welcome])
  await store.apply('trading-events', [{ ...orderEvent('order.status_updated', 'topics'), id: welcome.id }])
  expect((await inbox('topics')).items).toHaveLength(2)
})

test('without a mail server each item says that its mail was not sent, and why', async () => {
  await store.apply('user-events', [registered('nosmtp')], false)
  await store.apply('trading-events', [fundsMoved('nosmtp', '100000.00', 'grant')], false)
  const { items } = await inbox('nosmtp')
  expect(items.map((item) => [item.kind, item.email])).toEqual([
    ['funds_moved', null],
    ['welcome', { status: 'not_sent', reason: 'smtp_not_configured' }],
  ])
  await store.apply('trading-events', [orderEvent('order.status_updated', 'nosmtp')], true)
  await giveUpQueued(store.pool)
  expect((await inbox('nosmtp')).items[0]?.email).toEqual({ status: 'not_sent', reason: 'smtp_not_configured' })
})

test('pages, unread and read', async () => {
  await store.apply(
    'trading-events',
    Array.from({ length: 7 }, (_, index) => orderEvent('order.status_updated', 'pages', { id: String(index) })),
  )
  const first = await inbox('pages', { limit: 3 })
  expect(first.items.map((item) => item.data['order_id'])).toEqual(['6', '5', '4'])
  const second = await inbox('pages', { limit: 3, cursor: BigInt(first.next_cursor ?? 0) })
  expect(second.items.map((item) => item.data['order_id'])).toEqual(['3', '2', '1'])
  const third = await inbox('pages', { limit: 3, cursor: BigInt(second.next_cursor ?? 0) })
  expect([third.items.length, third.next_cursor, third.unread_count]).toEqual([1, null, 7])

  const id = BigInt(first.items[0]?.id ?? 0)
  const read = await markRead(store.pool, 'pages', id)
  expect(read?.read_at).toEqual(expect.any(String))
  expect(await markRead(store.pool, 'pages', id)).toEqual(read)
  expect(await markRead(store.pool, 'somebody-else', id)).toBeUndefined()
  expect((await inbox('pages', { unread: true })).items).toHaveLength(6)
  expect(await markAllRead(store.pool, 'pages')).toBe(6)
  expect(await markAllRead(store.pool, 'pages')).toBe(0)
  expect((await inbox('pages', { unread: true })).unread_count).toBe(0)
})

test('the inbox is in the language of the profile, or the one chosen here', async () => {
  await store.apply('user-events', [registered('lang', { username: '길동', language: 'ko' })])
  expect((await inbox('lang')).items[0]?.title).toBe('길동님, 마루에 오신 것을 환영합니다')
  await store.apply('user-events', [profileChanged('lang', '길동', 'en')])
  expect((await inbox('lang')).items[0]?.title).toBe('Welcome to Maru, 길동')
  await changePreferences(store.pool, 'lang', { language: 'ko' })
  expect((await inbox('lang')).items[0]?.title).toContain('환영')
})

test('preferences: defaults, changes of a part, and what they do', async () => {
  const before = await readPreferences(store.pool, 'prefs')
  expect(before).toMatchObject({
    language: 'en',
    events: { order_filled: { inbox: true, email: true }, order_partially_filled: { inbox: true, email: false } },
  })
  await changePreferences(store.pool, 'prefs', {
    events: { order_filled: { email: false }, order_cancelled: { inbox: false }, order_rejected: { inbox: false, email: true } },
  })
  const after = await readPreferences(store.pool, 'prefs')
  expect(after.events).toEqual({
    ...before.events,
    order_filled: { inbox: true, email: false },
    order_cancelled: { inbox: false, email: false },
    order_rejected: { inbox: false, email: true },
  })
  await store.apply('trading-events', [
    orderEvent('order.status_updated', 'prefs'),
    orderEvent('order.status_updated', 'prefs', { status: 'CANCELLED' }),
    orderEvent('order.rejected', 'prefs', { status: 'REJECTED', reject_code: 'lot_size' }),
  ])
  expect((await inbox('prefs')).items.map((item) => [item.kind, item.email])).toEqual([['order_filled', null]])
  const { rows } = await store.pool.query(
    `select n.kind from deliveries d join notifications n on n.id = d.notification_id where d.user_id = 'prefs'`,
  )
  expect(rows).toEqual([{ kind: 'order_rejected' }])
})

test('an inbox keeps its newest thousand, and at most fifty more', async () => {
  const add = (first: number, count: number): Promise<void> =>
    store.apply(
      'trading-events',
      Array.from({ length: count }, (_, index) =>
        orderEvent('order.status_updated', 'many', { id: String(first + index), status: 'PARTIALLY_FILLED' }),
      ),
    )
  const kept = async (): Promise<number> => {
    const { rows } = await store.pool.query<{ count: string }>(`select count(*) from notifications where user_id = 'many'`)
    return Number(rows[0]?.count)
  }
  await add(0, inboxMax - 1)
  expect(await kept()).toBe(inboxMax - 1)
  await add(inboxMax - 1, 50)
  expect(await kept()).toBe(inboxMax + 49)
  await add(inboxMax + 49, 1)
  expect(await kept()).toBe(inboxMax)
  const { items, unread_count } = await inbox('many', { limit: 1 })
  expect([items[0]?.data['order_id'], unread_count]).toEqual([String(inboxMax + 49), inboxMax])
})

test('figures with NUL or from SQL are kept as text', async () => {
  const odd = `a\u0000b'); drop table notifications; --`
  await store.apply('trading-events', [orderEvent('order.rejected', 'odd', { reject_code: odd })])
  expect((await inbox('odd')).items[0]?.data['reject_code']).toBe(`ab'); drop table notifications; --`)
})

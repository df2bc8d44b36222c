import { once } from 'node:events'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { WebSocket } from 'ws'
import { Client, eventually } from '../../../test/support/client.ts'
import { logInAt } from '../../../test/support/services.ts'
import { Bot, type SocketAnswer } from '../../../test/support/order-bot.ts'
import { startTradingSide, type TradingSide } from '../../../test/support/trading.ts'
import { chainHash } from '../history/chain.ts'

/** The trading socket of a real instance, with clients of the `ws` package. */

const bots: Bot[] = []
const opened = async (client: Client): Promise<Bot> => {
  const bot = await Bot.at(side.service, client)
  bots.push(bot)
  return bot
}
let side: TradingSide
let alice: Client
let bob: Client

beforeAll(async () => {
  side = await startTradingSide()
  alice = await side.user('alice')
  bob = await side.user('bobby')
}, 60_000)

afterEach(() => {
  for (const bot of bots.splice(0)) bot.socket.terminate()
})

afterAll(() => side[Symbol.asyncDispose]())

let ids = 0
const limit = (price: string, more: Record<string, unknown> = {}): Record<string, unknown> => ({
  symbol: 'BTC/USDT',
  side: 'BUY',
  order_type: 'LIMIT',
  quantity: '0.001',
  price,
  ...more,
})
const place = (price: string, more: Record<string, unknown> = {}): { id: string; op: string; order: Record<string, unknown> } => ({
  id: `r${(ids += 1)}`,
  op: 'place',
  order: limit(price, more),
})

describe('order entry', () => {
  test('an order is placed, seen by HTTP, and cancelled by either id', async () => {
    const bot = await opened(alice)
    const first = await bot.ask(place('10000'))
    expect(first).toMatchObject({ status: 201, result: { status: 'PENDING', symbol: 'BTC/USDT', fills: [] } })
    expect((await alice.get(`/orders/${first.result!.id}`)).body).toMatchObject({ status: 'PENDING' })
    expect(await bot.ask({ id: 'c1', op: 'cancel', order_id: first.result!.id })).toMatchObject({
      status: 200,
      result: { status: 'CANCELLED' },
    })
    await bot.ask(place('10000', { client_order_id: 'mine-1' }))
    expect(await bot.ask({ id: 7, op: 'cancel', client_order_id: 'mine-1' })).toMatchObject({
      id: 7,
      status: 200,
      result: { status: 'CANCELLED' },
    })
    expect(await bot.ask({ id: 'c3', op: 'cancel', client_order_id: 'mine-1' })).toMatchObject({
      status: 409,
      error: { code: 'order_not_open', detail: 'The order is CANCELLED.' },
    })
  })

  test('what is placed can be cancelled in the same message', async () => {
    const bot = await opened(alice)
    bot.send([
      place('11000', { client_order_id: 'list-1' }),
      place('12000', { client_order_id: 'list-2' }),
      { id: 'cancel-first', op: 'cancel', client_order_id: 'list-1' },
      { id: 'all', op: 'cancel_all', symbol: 'BTC/USDT' },
    ])
    await bot.until(({ answers }) => answers.length === 4)
    const byId = new Map(bot.answers.map((answer) => [answer.id, answer]))
    const [first, second] = bot.answers.filter(({ status }) => status === 201)
    expect(first!.result!.id < second!.result!.id).toBe(true)
    // A cancel by the client's id takes its place once the order has an id of ours, which may be after the cancel of all.
    expect([200, 409]).toContain(byId.get('cancel-first')!.status)
    expect(byId.get('all')).toMatchObject({ status: 200 })
    expect((await alice.get<{ items: unknown[] }>('/orders?status=PENDING')).body.items).toEqual([])
  })

  test('an order is amended and replaced, in the order it was sent', async () => {
    const bot = await opened(alice)
    const { id } = (await bot.ask(place('10000', { quantity: '0.005' }))).result!
    bot.send([
      { id: 'less', op: 'amend', order_id: id, changes: { quantity: '0.004' } },
      { id: 'lower', op: 'amend', order_id: id, changes: { price: '9000' } },
      {
        id: 'other',
        op: 'replace',
        order_id: id,
        order: { side: 'BUY', order_type: 'LIMIT', quantity: '0.003', price: '9500', post_only: true },
      },
      { id: 'late', op: 'amend', order_id: id, changes: { price: '9100' } },
    ])
    await bot.until(({ answers }) => answers.length === 5)
    const byId = new Map(bot.answers.map((answer) => [answer.id, answer]))
    expect(byId.get('less')).toMatchObject({ status: 200, result: { id, quantity: '0.004', price: '10000' } })
    expect(byId.get('lower')).toMatchObject({ status: 200, result: { id, quantity: '0.004', price: '9000' } })
    expect(byId.get('other')).toMatchObject({ status: 201, result: { quantity: '0.003', price: '9500', post_only: true } })
    expect(byId.get('late')).toMatchObject({ status: 409, error: { code: 'order_not_open' } })
    await bot.ask({ id: 'clean', op: 'cancel_all' })
  })

  test('what only some orders have is amended, or refused with its field', async () => {
    const bot = await opened(alice)
    const expires = '2099-01-31T12:00:00.000Z'
    const { id } = (await bot.ask(place('10000', { quantity: '0.005', time_in_force: 'GTD', expires_at: expires }))).result!
    const later = '2099-02-28T12:00:00.000Z'
    const changed = await bot.ask({ id: 'more', op: 'amend', order_id: id, changes: { expires_at: later, display_quantity: '0.001' } })
    expect(changed).toMatchObject({ status: 200, result: { id, expires_at: later, display_quantity: '0.001', quantity: '0.005' } })
    expect(await bot.ask({ id: 'trail', op: 'amend', order_id: id, changes: { trailing_delta: '1%' } })).toMatchObject({
      status: 409,
      error: { code: 'order_not_amendable', errors: [{ path: 'trailing_delta' }] },
    })
    expect(await bot.ask({ id: 'when', op: 'amend', order_id: id, changes: { expires_at: 'soon' } })).toMatchObject({
      status: 400,
      error: { code: 'invalid_request', errors: [{ path: 'changes.expires_at' }] },
    })
    const oco = await bot.ask({
      id: 'oco',
      op: 'place_list',
      list: {
        type: 'OCO',
        symbol: 'BTC/USDT',
        orders: [
          { side: 'BUY', order_type: 'LIMIT', quantity: '0.001', price: '10000' },
          { side: 'BUY', order_type: 'STOP', quantity: '0.001', stop_price: '90000' },
        ],
      },
    })
    const [low, high] = oco.result!['orders'] as { id: string }[]
    expect(await bot.ask({ id: 'both', op: 'amend', order_id: low!.id, changes: { quantity: '0.002' } })).toMatchObject({ status: 200 })
    expect((await alice.get(`/orders/${high!.id}`)).body).toMatchObject({ quantity: '0.002' })
    await bot.ask({ id: 'clean', op: 'cancel_all' })
  })

  test('a list is placed whole, and refused whole', async () => {
    const bot = await opened(alice)
    const exits = [
      { side: 'BUY', order_type: 'LIMIT', quantity: '0.001', price: '10000' },
      { side: 'BUY', order_type: 'STOP', quantity: '0.001', stop_price: '90000' },
    ]
    const placed = await bot.ask({ id: 'oco', op: 'place_list', list: { type: 'OCO', symbol: 'BTC/USDT', orders: exits } })
    expect(placed.status, JSON.stringify(placed)).toBe(201)
    expect(placed.result).toMatchObject({ type: 'OCO', orders: [{ status: 'PENDING' }, { status: 'PENDING' }] })
    const wrong = await bot.ask({ id: 'bad', op: 'place_list', list: { type: 'OCO', symbol: 'BTC/USDT', orders: [exits[1], exits[0]] } })
    expect(wrong).toMatchObject({ status: 400, error: { errors: [{ path: 'orders.0.order_type' }] } })
    const cancelled = await bot.ask({ id: 'clean', op: 'cancel_all' })
    expect(cancelled.result!.items).toHaveLength(2)
  })

  test('the same client order id gets the first outcome', async () => {
    const bot = await opened(alice)
    const first = await bot.ask(place('10500', { client_order_id: 'once' }))
    const again = await bot.ask(place('10500', { client_order_id: 'once' }))
    expect(again).toMatchObject({ status: 201, result: { id: first.result!.id } })
    expect(await bot.ask(place('10501', { client_order_id: 'once' }))).toMatchObject({
      status: 409,
      error: { code: 'client_order_id_reused' },
    })
    await bot.ask({ id: 'clean', op: 'cancel_all' })
  })

  test('a hundred and fifty orders at once are each answered once, in order, and all are there', async () => {
    const bot = await opened(alice)
    const requests = Array.from({ length: 150 }, (_, at) => place(String(11_000 + at)))
    for (let at = 0; at < requests.length; at += 50) bot.send(requests.slice(at, at + 50))
    await bot.until(({ answers }) => answers.length === requests.length)
    expect(bot.answers.map(({ id }) => id)).toEqual(requests.map(({ id }) => id))
    const orders = bot.answers.map(({ result }) => result!.id)
    expect(orders).toEqual(orders.toSorted())
    const done = await bot.ask({ id: 'all', op: 'cancel_all' })
    expect(done.result!.items!.map(({ id }) => id).toSorted()).toEqual(orders)
  })
})

describe('the account’s stream', () => {
  test('comes from a number on, goes on as it happens, chained and without a gap', async () => {
    const bot = await opened(bob)
    expect(await bot.ask({ id: 's', op: 'subscribe', after: 0 })).toMatchObject({ status: 200, result: { after: 0 } })
    await bot.until(({ events }) => events.some(({ type }) => type === 'funds.moved'))
    const placed = await bot.ask(place('10000'))
    await bot.ask({ id: 'c', op: 'cancel', order_id: placed.result!.id })
    await bot.until(({ events }) => events.some(({ data }) => data.status === 'CANCELLED'))
    expect(bot.events.map(({ sequence }) => sequence)).toEqual(bot.events.map((_, at) => at + 1))
    for (const event of bot.events) expect(event.hash).toBe(chainHash(event.previous_hash, event))
    const second = await opened(bob)
    await second.ask({ id: 's', op: 'subscribe', after: bot.events.length - 1 })
    await second.until(({ events }) => events.length === 1)
    expect(second.events[0]).toEqual(bot.events.at(-1))
    expect(await second.ask({ id: 'u', op: 'unsubscribe' })).toMatchObject({ status: 200 })
  })
})

describe('a connection that ends', () => {
  const statusOf = async (client: Client, id: string): Promise<string> =>
    (await client.get<{ status: string }>(`/orders/${id}`)).body.status

  test('takes its open orders with it where it asked for that, and no others', async () => {
    const other = await opened(alice)
    const stays = await other.ask(place('10100'))
    const bot = await opened(alice)
    expect(await bot.ask({ id: 'set', op: 'set', cancel_on_disconnect: true })).toMatchObject({ result: { cancel_on_disconnect: true } })
    const goes = await bot.ask(place('10200'))
    bot.socket.terminate()
    await eventually(
      () => statusOf(alice, goes.result!.id),
      (status) => status === 'CANCELLED',
    )
    expect(await statusOf(alice, stays.result!.id)).toBe('PENDING')
    other.socket.terminate()
    await once(other.socket, 'close')
    expect(await statusOf(alice, stays.result!.id)).toBe('PENDING')
    await alice.delete('/orders')
  })

  test('takes also what was still on its way', async () => {
    const bot = await opened(alice)
    await bot.ask({ id: 'set', op: 'set', cancel_on_disconnect: true })
    bot.send(Array.from({ length: 40 }, () => place('10300')))
    bot.socket.close()
    await once(bot.socket, 'close')
    await eventually(
      async () => (await alice.get<{ items: { status: string }[] }>('/orders?limit=40')).body.items.map(({ status }) => status),
      (all) => all.length === 40 && all.every((status) => status === 'CANCELLED'),
    )
  })
})

describe('refusals', () => {
  test.each([
    ['no JSON', '{', null, 'invalid_json'],
    ['an empty list', '[]', null, 'invalid_request'],
    ['too many', JSON.stringify(Array.from({ length: 101 }, () => ({}))), null, 'invalid_request'],
    ['no object', '7', null, 'invalid_request'],
    ['no op', { id: 'a' }, 'a', 'invalid_request'],
    ['an unknown op', { id: 'a', op: 'constructor' }, 'a', 'invalid_request'],
    ['no id', { op: 'cancel_all' }, null, 'invalid_request'],
    ['an id that is no id', { id: { a: 1 }, op: 'cancel_all' }, null, 'invalid_request'],
    ['another’s user id', { ...place('1'), id: 'a', order: limit('1', { user_id: 'someone' }) }, 'a', 'invalid_request'],
    ['an unknown field', { id: 'a', op: 'cancel_all', sybmol: 'BTC/USDT' }, 'a', 'invalid_request'],
    ['a cancel of nothing', { id: 'a', op: 'cancel' }, 'a', 'invalid_request'],
    ['an order that is not there', { id: 'a', op: 'cancel', order_id: 'zzzzzzzzzzz' }, 'a', 'order_not_found'],
    ['an unknown market', { id: 'a', op: 'cancel_all', symbol: 'NO/USDT' }, 'a', 'symbol_not_found'],
    ['more digits than the market has', { id: 'a', op: 'place', order: limit('1.123456789') }, 'a', 'tick_size'],
    ['money that is not there', { id: 'a', op: 'place', order: limit('60000', { quantity: '5' }) }, 'a', 'insufficient_funds'],
    ['a token that is none', { id: 'a', op: 'authenticate', token: 'x.y.z' }, 'a', 'unauthenticated'],
  ])('%s', async (_, request, id, code) => {
    const bot = await opened(alice)
    bot.send(request)
    await bot.until(({ answers }) => answers.length === 1)
    expect(bot.answers[0]).toMatchObject({ id, error: { code } })
    if (code === 'invalid_request') expect(bot.answers[0]!.error!.errors?.length).toBeGreaterThan(0)
    // The connection is as good as before.
    expect(await bot.ask({ id: 'after', op: 'cancel_all' })).toMatchObject({ status: 200 })
  })

  test('binary is refused', async () => {
    const bot = await opened(alice)
    bot.socket.send(Buffer.from([1, 2]))
    await bot.until(({ answers }) => answers.length === 1)
    expect(bot.answers[0]).toMatchObject({ id: null, error: { code: 'invalid_request', errors: [{ path: 'message' }] } })
  })

  test('another’s order is as if it were not there, open or closed', async () => {
    const theirs = await (await opened(bob)).ask(place('10000'))
    const bot = await opened(alice)
    const cancel = (id: string): Promise<SocketAnswer> => bot.ask({ id, op: 'cancel', order_id: theirs.result!.id })
    expect(await cancel('open')).toMatchObject({ status: 404, error: { code: 'order_not_found' } })
    await bob.delete('/orders')
    expect(await cancel('closed')).toMatchObject({ status: 404, error: { code: 'order_not_found' } })
  })

  test('another’s token does not renew the connection, one’s own does', async () => {
    const bot = await opened(alice)
    expect(await bot.ask({ id: 'a', op: 'authenticate', token: bob.token })).toMatchObject({ status: 403, error: { code: 'forbidden' } })
    expect(await bot.ask({ id: 'b', op: 'authenticate', token: alice.token })).toMatchObject({ status: 200 })
  })

  test('without a token the upgrade is refused', async () => {
    const socket = new WebSocket(`${side.service.url.replace('http', 'ws')}/ws`)
    const [error] = (await once(socket, 'error')) as [Error]
    expect(error.message).toContain('401')
  })
})

describe('a user who is disabled', () => {
  test(
    'is refused within seconds with the token there was, by HTTP and on a socket that is open; a new login is good again',
    { timeout: 60_000 },
    async () => {
      const carol = await side.user('carol')
      const bot = await opened(carol)
      const closed = once(bot.socket, 'close')
      expect((await carol.get(`/accounts/${carol.userId}/balances`)).status).toBe(200)
      const { users } = side
      const operator = new Client(users.service.url)
      await logInAt(users.service, operator, users.operator.email, users.operator.password)
      const set = async (status: string): Promise<void> =>
        expect((await operator.put(`/users/${carol.userId}/status`, { status })).status).toBe(200)
      await set('disabled')
      const refused = await eventually(
        () => carol.get<{ code: string }>(`/accounts/${carol.userId}/balances`),
        ({ status }) => status === 401,
      )
      expect(refused.body.code).toBe('unauthenticated')
      bot.send({ id: 'after', op: 'cancel_all' })
      expect((await closed)[0]).toBe(4401)
      expect(bot.answers).toEqual([])

      await set('active')
      expect((await carol.get(`/accounts/${carol.userId}/balances`)).status).toBe(401)
      await logInAt(users.service, carol, carol.email, carol.password)
      await eventually(
        () => carol.get(`/accounts/${carol.userId}/balances`),
        ({ status }) => status === 200,
      )
      // Others notice nothing.
      expect((await alice.get(`/accounts/${alice.userId}/balances`)).status).toBe(200)
    },
  )

  test('whose tokens are void is said to services alone', async () => {
    const answer = await fetch(`${side.users.service.url}/internal/revoked-tokens`)
    expect(((await answer.json()) as { users: unknown[] }).users).toHaveLength(1)
  })
})

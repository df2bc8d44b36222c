import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { eventually, Client } from '../../../test/support/client.ts'
import { startTradingSide, type TradingSide } from '../../../test/support/trading.ts'

/** What became of lists of orders, as their owner asks for it over HTTP. */

let side: TradingSide
let alice: Client
let bob: Client

beforeAll(async () => {
  side = await startTradingSide()
  alice = await side.user('alice')
  bob = await side.user('bobby')
  for (const { userId } of [alice, bob])
    await side.operator.post(`/accounts/${userId}/deposits`, { asset: 'BTC', amount: '10', reference: 'stock' })
}, 60_000)

afterAll(() => side[Symbol.asyncDispose]())

interface List {
  id: string
  status: string
  symbol: string
  client_list_id: string | null
  updated_at: string
  orders: { id: string; status: string; quantity: string; updated_at: string; is_waiting?: true }[]
  code?: string
  errors?: { path: string }[]
}
interface Page {
  items: List[]
  next_cursor: string | null
  code?: string
  errors?: { path: string }[]
}

const exits = [
  { side: 'SELL', order_type: 'LIMIT', quantity: '0.1', price: '70000' },
  { side: 'SELL', order_type: 'STOP', quantity: '0.1', stop_price: '40000' },
]
const entry = { side: 'BUY', order_type: 'LIMIT', quantity: '0.1', price: '45000' }

async function place(client: Client, type: string, orders: unknown[], more: Record<string, unknown> = {}): Promise<List> {
  const placed = await client.post<List>('/order-lists', { type, symbol: 'BTC/USDT', orders, ...more })
  expect(placed.status, JSON.stringify(placed.body)).toBe(201)
  return placed.body
}
const lists = async (client: Client, query = ''): Promise<Page> => (await client.get<Page>(`/order-lists${query}`)).body
const ids = async (client: Client, query = ''): Promise<string[]> => (await lists(client, query)).items.map(({ id }) => id)

describe('a list', () => {
  test('is shown as it was placed, by its id, by the client’s, and among all', async () => {
    const placed = await place(alice, 'OCO', exits, { client_list_id: 'shown' })
    expect(placed).toMatchObject({ type: 'OCO', symbol: 'BTC/USDT', client_list_id: 'shown', user_id: alice.userId, status: 'OPEN' })
    expect((await alice.get(`/order-lists/${placed.id}`)).body).toEqual(placed)
    expect(await lists(alice, '?client_list_id=shown')).toEqual({ items: [placed], next_cursor: null })
    expect((await lists(alice, '?limit=1')).items).toEqual([placed])
    expect((await side.operator.get(`/order-lists/${placed.id}`)).body).toEqual(placed)
  })

  test('is told in the stream before its orders', async () => {
    const placed = await place(alice, 'OCO', exits)
    const items = await eventually(
      async () =>
        (await alice.get<{ items: { type: string; data: Record<string, unknown> }[] }>(`/accounts/${alice.userId}/events?limit=1000`)).body
          .items,
      (all) => all.some(({ data }) => data['id'] === placed.orders[1]!.id),
    )
    expect(items.slice(-3)).toMatchObject([
      {
        type: 'order_list.created',
        data: { id: placed.id, type: 'OCO', client_list_id: null, symbol: 'BTC/USDT', order_ids: placed.orders.map(({ id }) => id) },
      },
      { type: 'order.created', data: { id: placed.orders[0]!.id, order_list_id: placed.id } },
      { type: 'order.created', data: { id: placed.orders[1]!.id, order_list_id: placed.id } },
    ])
  })

  test('is closed once all its orders are final, and says when that was', async () => {
    const placed = await place(alice, 'OCO', exits)
    const cancelled = await alice.delete<List['orders'][0]>(`/orders/${placed.orders[1]!.id}`)
    const closed = (await alice.get<List>(`/order-lists/${placed.id}`)).body
    expect(closed).toMatchObject({ status: 'CLOSED', orders: [{ status: 'CANCELLED' }, { status: 'CANCELLED' }] })
    expect(closed.updated_at).toBe(cancelled.body.updated_at)
    expect((await lists(alice, '?limit=1')).items).toEqual([closed])
  })

  test('of which one order follows another stays open as long as that one is', async () => {
    const placed = await place(alice, 'OTO', [entry, exits[1]])
    expect(placed.orders.map(({ is_waiting: waits }) => waits)).toEqual([undefined, true])
    await bob.post('/orders', { symbol: 'BTC/USDT', side: 'SELL', order_type: 'LIMIT', quantity: '0.1', price: '45000' })
    const followed = (await alice.get<List>(`/order-lists/${placed.id}`)).body
    expect(followed).toMatchObject({ status: 'OPEN', orders: [{ status: 'FILLED' }, { status: 'PENDING' }] })
    expect(followed.orders[1]).not.toHaveProperty('is_waiting')
    expect((await lists(alice, '?limit=1')).items).toEqual([followed])
    await alice.delete('/orders')
    expect((await alice.get(`/order-lists/${placed.id}`)).body).toMatchObject({ status: 'CLOSED' })
  })

  test('whose answer was lost is found again by a retry, open or closed', async () => {
    const placed = await place(alice, 'BRACKET', [entry, ...exits], { client_list_id: 'retried' })
    expect(await place(alice, 'BRACKET', [entry, ...exits], { client_list_id: 'retried' })).toEqual(placed)
    await alice.delete('/orders')
    const again = await place(alice, 'BRACKET', [entry, ...exits], { client_list_id: 'retried' })
    expect(again).toMatchObject({ id: placed.id, status: 'CLOSED', orders: [{ status: 'CANCELLED' }, {}, {}] })
    expect((await lists(alice, '?client_list_id=retried')).items).toEqual([again])
  })

  test('that is refused leaves nothing', async () => {
    const before = await ids(alice)
    const refused = await alice.post<List>('/order-lists', {
      type: 'OCO',
      symbol: 'BTC/USDT',
      orders: [{ ...exits[0], price: '30000' }, exits[1]],
      client_list_id: 'refused',
    })
    expect(refused.body.code).toBe('invalid_price')
    expect(await ids(alice)).toEqual(before)
    expect(await lists(alice, '?client_list_id=refused')).toEqual({ items: [], next_cursor: null })
  })
})

test('lists come newest first, page by page, by status and by symbol; only one’s own', async () => {
  const carol = await side.user('carol')
  expect(await lists(carol)).toEqual({ items: [], next_cursor: null })
  await side.operator.post(`/accounts/${carol.userId}/deposits`, { asset: 'BTC', amount: '10', reference: 'stock' })
  const placed: List[] = []
  for (let count = 0; count < 5; count++) placed.push(await place(carol, 'OCO', exits))
  const inEther = await place(
    carol,
    'OTO',
    [entry, entry].map((order) => ({ ...order, price: '100' })),
    { symbol: 'ETH/USDT' },
  )
  for (const at of [1, 3]) await carol.delete(`/orders/${placed[at]!.orders[0]!.id}`)

  const newestFirst = [...placed, inEther].map(({ id }) => id).toReversed()
  expect(newestFirst).toEqual(newestFirst.toSorted().toReversed())
  const seen: string[] = []
  for (let cursor: string | null = ''; cursor !== null;) {
    const page: Page = await lists(carol, `?limit=2${cursor === '' ? '' : `&cursor=${cursor}`}`)
    expect(page.items.length).toBeLessThanOrEqual(2)
    seen.push(...page.items.map(({ id }) => id))
    cursor = page.next_cursor
  }
  expect(seen).toEqual(newestFirst)
  expect(await ids(carol, '?status=CLOSED')).toEqual([placed[3]!.id, placed[1]!.id])
  expect(await ids(carol, '?status=OPEN&symbol=BTC%2FUSDT')).toEqual([placed[4]!.id, placed[2]!.id, placed[0]!.id])
  expect(await ids(carol, '?symbol=ETH/USDT')).toEqual([inEther.id])
  expect(await ids(carol, '?symbol=NO/USDT')).toEqual([])
  expect(await ids(bob)).toEqual([])
})

describe('refusals', () => {
  test('another’s list is as if it were not there', async () => {
    const placed = await place(alice, 'OCO', exits, { client_list_id: 'private' })
    expect((await bob.get<List>(`/order-lists/${placed.id}`)).body).toMatchObject({ status: 404, code: 'order_list_not_found' })
    expect((await lists(bob, '?client_list_id=private')).items).toEqual([])
    expect(await ids(bob, `?cursor=${'z'.repeat(11)}`)).toEqual([])
  })

  test.each(['zzzzzzzzzzz', '1', 'constructor', '00000000000'])('there is no list %s', async (id) => {
    expect((await alice.get<List>(`/order-lists/${id}`)).body).toMatchObject({ status: 404, code: 'order_list_not_found' })
  })

  test.each([
    ['?status=PENDING', 'status'],
    ['?limit=0', 'limit'],
    ['?limit=201', 'limit'],
    ['?limit=many', 'limit'],
    ['?cursor=%20', 'cursor'],
    ['?symbol=btc', 'symbol'],
    ['?client_list_id=', 'client_list_id'],
    ['?client_list_id=a%20b', 'client_list_id'],
    ['?offset=1', 'offset'],
    ['/a%20b', 'id'],
    [`/${'z'.repeat(33)}`, 'id'],
  ])('%s is refused at %s', async (query, path) => {
    const refused = await alice.get<Page>(`/order-lists${query}`)
    expect([refused.status, refused.body.code, refused.body.errors?.[0]?.path]).toEqual([400, 'invalid_request', path])
  })

  test.each(['/order-lists', '/order-lists/00000000001'])('%s without a token', async (path) => {
    expect((await new Client(side.service.url).get<Page>(path)).body).toMatchObject({ status: 401, code: 'unauthenticated' })
  })
})

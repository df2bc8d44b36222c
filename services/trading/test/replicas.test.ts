import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Client, eventually } from '../../../test/support/client.ts'
import { createTestDatabase, type TestDatabase } from '../../../test/support/postgres.ts'
import {
  logInAt,
  startServiceProcess,
  startTwo,
  startUserService,
  type ServiceProcess,
  type UserSide,
} from '../../../test/support/services.ts'

/** Real instances of the service on one log, without a gateway: what each says of the same state. */

const env = { MARU_HOUSE_LIQUIDITY: 'off', MARU_SNAPSHOT_EVERY_COMMANDS: '50' }
let database: TestDatabase
let user: UserSide
let alice: Client
let bob: Client
let operator: Client

beforeAll(async () => {
  database = await createTestDatabase()
  user = await startUserService(database)
  const account = async (name: string): Promise<Client> => {
    const client = new Client(user.service.url)
    const password = 'correct-horse-battery'
    await client.post('/register', { email: `${name}@example.com`, username: name, password })
    await logInAt(user.service, client, `${name}@example.com`, password)
    return client
  }
  alice = await account('alice')
  bob = await account('bobby')
  operator = new Client(user.service.url)
  await logInAt(user.service, operator, user.operator.email, user.operator.password)
}, 60_000)

afterAll(async () => {
  await user[Symbol.asyncDispose]()
  await database[Symbol.asyncDispose]()
})

/** The client's token at another address. */
function at(client: Client, service: ServiceProcess): Client {
  const other = new Client(service.url)
  other.token = client.token
  other.userId = client.userId
  return other
}

const startTrading = (): Promise<ServiceProcess> => startServiceProcess('trading', database.urls.trading, env)

interface Order {
  id: string
  status: string
  client_order_id: string
  code?: string
}

const limit = (side: string, price: string, id: string): Record<string, string> => ({
  symbol: 'BTC/USDT',
  side,
  order_type: 'LIMIT',
  quantity: '0.01',
  price,
  client_order_id: id,
})

interface Reconciliation {
  assets: { asset: string; difference: string }[]
  replicas: { position: number; state_hash: string }[]
}

async function stateOf(service: ServiceProcess): Promise<Reconciliation['replicas'][number]> {
  const { body } = await at(operator, service).get<Reconciliation>('/reconciliation')
  for (const asset of body.assets) expect(asset).toMatchObject({ difference: '0' })
  return body.replicas[0]!
}

async function streamOf(
  client: Client,
  service: ServiceProcess,
): Promise<{ sequence: number; type: string; hash: string; previous_hash: string }[]> {
  const { body } = await at(client, service).get<{ items: { sequence: number; type: string; hash: string; previous_hash: string }[] }>(
    `/accounts/${client.userId}/events?limit=1000`,
  )
  return body.items
}

describe('two instances on one log', () => {
  test('hold the same state, fill each other’s orders, and answer a retry alike', { timeout: 60_000 }, async () => {
    await using both = await startTwo(startTrading)
    const [one, two] = both
    await at(operator, one).post(`/accounts/${bob.userId}/deposits`, { asset: 'BTC', amount: '1', reference: 'first' })
    // Bob's account is opened by his first question.
    expect((await at(bob, two).get(`/accounts/${bob.userId}/balances`)).status).toBe(200)
    expect(
      (await at(operator, one).post(`/accounts/${bob.userId}/deposits`, { asset: 'BTC', amount: '1', reference: 'second' })).status,
    ).toBe(201)
    const sold = await at(bob, one).post<Order>('/orders', limit('SELL', '30000', 'bob-1'))
    expect(sold.body).toMatchObject({ status: 'PENDING' })
    const bought = await at(alice, two).post<Order & { fills: unknown[] }>('/orders', limit('BUY', '30000', 'alice-1'))
    expect(bought.body).toMatchObject({ status: 'FILLED' })
    expect(bought.body.fills).toHaveLength(1)
    await eventually(
      () => at(bob, one).get<Order>(`/orders/${sold.body.id}`),
      ({ body }) => body.status === 'FILLED',
    )

    // The fills come from the tables, which on a busy machine the publisher may write first after such a request no longer waits for them.
    const repeated = await eventually(
      () => at(alice, one).post<Order & { fills: unknown[] }>('/orders', limit('BUY', '30000', 'alice-1')),
      ({ body }) => body.fills.length > 0,
    )
    expect(repeated.status).toBe(201)
    expect(repeated.headers.get('idempotent-replayed')).toBe('true')
    expect(repeated.body).toMatchObject({ id: bought.body.id, status: 'FILLED', fills: bought.body.fills })
    const reused = await at(alice, one).post<Order>('/orders', limit('BUY', '31000', 'alice-1'))
    expect([reused.status, reused.body.code]).toEqual([409, 'client_order_id_reused'])

    const [first, second] = [
      await stateOf(one),
      await eventually(
        () => stateOf(two),
        (state) => state.position > 0,
      ),
    ]
    expect(second.state_hash === first.state_hash || second.position !== first.position).toBe(true)
  })

  test(
    'what one has taken the other knows at once: an order by its id and by the client’s, and its cancel',
    { timeout: 60_000 },
    async () => {
      await using both = await startTwo(startTrading)
      const [one, two] = both
      for (let number = 1; number <= 30; number++) {
        const [here, there] = number % 2 === 0 ? [one, two] : [two, one]
        const clientOrderId = `known-${number}`
        const { body } = await at(alice, here).post<Order>('/orders', limit('BUY', '20000', clientOrderId))
        const answers = await Promise.all([
          at(alice, there).get<Order>(`/orders/${body.id}`),
          at(alice, there).get<{ items: Order[] }>(`/orders?client_order_id=${clientOrderId}`),
          at(alice, there).delete<Order>(`/orders/${body.id}`),
        ])
        expect(answers[0]).toMatchObject({ status: 200, body: { client_order_id: clientOrderId } })
        expect(answers[1].body.items).toMatchObject([{ id: body.id }])
        expect(answers[2]).toMatchObject({ status: 200, body: { status: 'CANCELLED' } })
        const again = await at(alice, here).delete<Order>(`/orders/${body.id}`)
        expect([again.status, again.body.code]).toEqual([409, 'order_not_open'])
      }
      const unknown = await at(alice, one).get<Order>('/orders/zzzzzzzzzzz')
      expect([unknown.status, unknown.body.code]).toEqual([404, 'order_not_found'])
    },
  )

  test('what one has opened the other knows at once: a deposit to an account that is new', { timeout: 60_000 }, async () => {
    await using both = await startTwo(startTrading)
    const [one, two] = both
    for (let number = 1; number <= 10; number++) {
      const name = `new-${number}`
      const client = new Client(user.service.url)
      await client.post('/register', { email: `${name}@example.com`, username: name, password: client.password })
      await logInAt(user.service, client, name, client.password)
      const [here, there] = number % 2 === 0 ? [one, two] : [two, one]
      expect((await at(client, here).get(`/accounts/${client.userId}/balances`)).status).toBe(200)
      const deposit = await at(operator, there).post(`/accounts/${client.userId}/deposits`, { asset: 'BTC', amount: '1', reference: 'a' })
      expect(deposit.status).toBe(201)
    }
  })

  test(
    'one killed amid a stream of orders: every order is there once, the streams have no gap, and the hashes are equal',
    { timeout: 120_000 },
    async () => {
      const instances: ServiceProcess[] = await startTwo(startTrading)
      const acknowledged = new Map<string, string>()
      let kills = 0
      for (let number = 1; number <= 400; number++) {
        if (number % 100 === 50) {
          const victim = instances[kills % 2]!
          await victim.kill()
          kills += 1
          instances[instances.indexOf(victim)] = await startTrading()
        }
        const [client, side] = number % 2 === 0 ? [alice, 'BUY'] : [bob, 'SELL']
        const id = `kill-${number}`
        const answer = await placeUntilKnown(client, instances, limit(side, '29000', id), number)
        expect([201, 422]).toContain(answer.status)
        if (answer.status === 201) acknowledged.set(id, answer.body.id)
      }
      expect(kills).toBe(4)
      const states = await Promise.all(
        instances.map((instance) =>
          eventually(
            () => stateOf(instance),
            (state) => state.position > 400,
          ),
        ),
      )
      const position = Math.max(...states.map((state) => state.position))
      const settled = await Promise.all(
        instances.map((instance) =>
          eventually(
            () => stateOf(instance),
            (state) => state.position === position,
          ),
        ),
      )
      expect(new Set(settled.map((state) => state.state_hash)).size).toBe(1)

      for (const client of [alice, bob]) {
        const streams = await Promise.all(instances.map((instance) => streamOf(client, instance)))
        expect(streams[0]).toEqual(streams[1])
        streams[0]!.forEach((event, index, all) => {
          expect(event.sequence).toBe(index + 1)
          expect(event.previous_hash).toBe(index === 0 ? '0'.repeat(64) : all[index - 1]!.hash)
        })
      }
      const found = new Map<string, string[]>()
      for (const client of [alice, bob]) {
        const { body } = await at(client, instances[0]!).get<{ items: Order[] }>('/orders?limit=500')
        for (const order of body.items) found.set(order.client_order_id, [...(found.get(order.client_order_id) ?? []), order.id])
      }
      for (const [clientOrderId, id] of acknowledged) expect([clientOrderId, found.get(clientOrderId)]).toEqual([clientOrderId, [id]])
      for (const instance of instances) await instance[Symbol.asyncDispose]()
    },
  )

  test('a new instance starts from a snapshot and goes on with the same state', { timeout: 60_000 }, async () => {
    let before
    {
      await using instance = await startTrading()
      for (let number = 1; number <= 60; number++) await at(alice, instance).post('/orders', limit('BUY', '20000', `snap-${number}`))
      before = await stateOf(instance)
    }
    await using instance = await startTrading()
    expect(await stateOf(instance)).toMatchObject({ position: before.position, state_hash: before.state_hash })
    const { body } = await at(alice, instance).get<Order>('/orders?client_order_id=snap-7')
    expect(body).toMatchObject({ items: [{ client_order_id: 'snap-7', status: 'PENDING' }] })
    const cancelled = await at(alice, instance).delete<{ items: Order[] }>('/orders')
    expect(cancelled.body.items.length).toBeGreaterThanOrEqual(60)
  })
})

/** Asks instance after instance with the same client order id until one answers. */
async function placeUntilKnown(
  client: Client,
  instances: readonly ServiceProcess[],
  order: Record<string, string>,
  start: number,
): Promise<{ status: number; body: Order }> {
  for (let attempt = start; attempt < start + 200; attempt++) {
    try {
      const answer = await at(client, instances[attempt % instances.length]!).post<Order>('/orders', order)
      if (answer.status < 500) return answer
    } catch {
      // The instance is gone; the other may know.
    }
  }
  throw new Error(`no instance answered for ${order['client_order_id']}`)
}

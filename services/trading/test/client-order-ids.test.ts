import pg from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Exchange } from '@maru/domain/exchange'
import { migrate } from '@maru/service-host'
import path from 'node:path'
import { History } from '../history/history.ts'
import { Client, eventually } from '../../../test/support/client.ts'
import { createTestDatabase, type TestDatabase } from '../../../test/support/postgres.ts'
import { logInAt, startServiceProcess, startUserService, type ServiceProcess, type UserSide } from '../../../test/support/services.ts'

/** A state machine that remembers eight client order ids only: what a real one does with the ids of millions of orders ago. */
const windowMax = 8

let database: TestDatabase
let user: UserSide
let trading: ServiceProcess
let alice: Client

const start = (): Promise<ServiceProcess> =>
  startServiceProcess('trading', database.urls.trading, { MARU_HOUSE_LIQUIDITY: 'off', MARU_SNAPSHOT_EVERY_COMMANDS: '5' })

beforeAll(async () => {
  database = await createTestDatabase()
  const pool = new pg.Pool({ connectionString: database.urls.trading })
  await migrate(pool, 'trading', path.join(import.meta.dirname, '../store'))
  const exchange = new Exchange({ clientOrderIdWindow: windowMax })
  await pool.query('insert into trading.snapshots (command_count, log_offset, state_hash, body) values (0, 0, $1, $2)', [
    exchange.stateHash(),
    Buffer.from(exchange.snapshot()),
  ])
  await pool.end()
  user = await startUserService(database)
  trading = await start()
  const email = 'alice@example.com'
  await new Client(user.service.url).post('/register', { email, username: 'alice', password: 'correct-horse-battery' })
  alice = new Client(trading.url)
  await logInAt(user.service, alice, email, 'correct-horse-battery')
}, 60_000)

afterAll(async () => {
  await trading[Symbol.asyncDispose]()
  await user[Symbol.asyncDispose]()
  await database[Symbol.asyncDispose]()
})

interface Order {
  id: string
  code?: string
  status: string
}

const place = (id: string, more: Record<string, unknown> = {}) =>
  alice.post<Order>('/orders', {
    symbol: 'BTC/USDT',
    side: 'BUY',
    order_type: 'LIMIT',
    quantity: '0.01',
    price: '1000',
    client_order_id: id,
    ...more,
  })

test('an id is for good: sent again after the state machine has forgotten it, it gives the first outcome', async () => {
  const first = await place('id-0')
  const refused = await place('id-poor', { quantity: '500' })
  expect([first.status, refused.body.code]).toEqual([201, 'insufficient_funds'])
  for (let id = 1; id <= windowMax * 2; id++) expect((await place(`id-${id}`)).status).toBe(201)
  // What is asked for again below has to be in the tables, which follow within moments.
  const pool = new pg.Pool({ connectionString: database.urls.trading, max: 1 })
  await eventually(
    () => new History(pool).newestOrder(),
    (newest) => newest >= windowMax * 2 + 2,
  )
  await pool.end()
  const checkAll = async (): Promise<void> => {
    const again = await place('id-0')
    expect([again.status, again.body.id, again.headers.get('idempotent-replayed')]).toEqual([201, first.body.id, 'true'])
    expect((await place('id-0', { price: '1001' })).body).toMatchObject({ status: 409, code: 'client_order_id_reused' })
    expect((await place('id-poor', { quantity: '500' })).body).toMatchObject({ status: 422, code: 'insufficient_funds' })
    const replaced = await alice.post<Order>(`/orders/${first.body.id}/replace`, {
      side: 'BUY',
      order_type: 'LIMIT',
      quantity: '0.02',
      price: '1000',
      client_order_id: 'id-1',
    })
    expect(replaced.body).toMatchObject({ status: 409, code: 'client_order_id_reused' })
    const orders = await alice.get<{ items: Order[] }>('/orders?limit=100')
    expect(orders.body.items).toHaveLength(windowMax * 2 + 2)
  }
  await checkAll()
  await trading.kill()
  trading = await start()
  const { token, userId } = alice
  alice = new Client(trading.url)
  Object.assign(alice, { token, userId })
  await checkAll()
  expect((await place('fresh')).status).toBe(201)
})

import { fork } from 'node:child_process'
import { once } from 'node:events'
import path from 'node:path'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { topics } from '@maru/contracts'
import { decodeBatch } from '@maru/contracts/commands-codec'
import { Exchange } from '@maru/domain/exchange'
import { openPostgresEventLog } from '@maru/event-log'
import { createPool } from '@maru/service-host'
import { Client, eventually, type Answer } from '../../../test/support/client.ts'
import { createTestDatabase, type TestDatabase } from '../../../test/support/postgres.ts'
import { postgresStateHashes } from '../agreement/state-hashes.ts'
import {
  logInAt,
  startServiceProcess,
  startTwo,
  startUserService,
  type ServiceProcess,
  type UserSide,
} from '../../../test/support/services.ts'
import { bareEnvironment } from '../../../test/support/bare-environment.ts'

/** Real instances on one log, of which one goes wrong: who notices, who stops, and who goes on. */

const env = { MARU_HOUSE_LIQUIDITY: 'off', MARU_SNAPSHOT_EVERY_COMMANDS: '1000000', MARU_LOG_LEVEL: 'silent' }
let database: TestDatabase
let user: UserSide
let alice: Client
let operator: Client
let orders = 0

beforeAll(async () => {
  database = await createTestDatabase()
  user = await startUserService(database)
  alice = new Client(user.service.url)
  await alice.post('/register', { email: 'alice@example.com', username: 'alice', password: alice.password })
  await logInAt(user.service, alice, 'alice', alice.password)
  operator = new Client(user.service.url)
  await logInAt(user.service, operator, user.operator.email, user.operator.password)
}, 60_000)

afterAll(async () => {
  await user[Symbol.asyncDispose]()
  await database[Symbol.asyncDispose]()
})

const start = (): Promise<ServiceProcess> => startServiceProcess('trading', database.urls.trading, env, 'test/processes/corruptible.ts')

function at(client: Client, service: ServiceProcess): Client {
  const other = new Client(service.url)
  other.token = client.token
  return other
}

interface Order {
  id: string
  code?: string
  detail?: string
}

function place(service: ServiceProcess): Promise<Answer<Order>> {
  orders += 1
  const order = { symbol: 'BTC/USDT', side: 'BUY', order_type: 'LIMIT', quantity: '0.001', price: '20000', client_order_id: `o-${orders}` }
  return at(alice, service).post<Order>('/orders', order)
}

type Replicas = { id: string; position: number; state_hash: string }[]

async function replicasAt(service: ServiceProcess): Promise<Replicas> {
  const { body } = await at(operator, service).get<{ replicas: Replicas }>('/reconciliation')
  return body.replicas
}

async function readiness(service: ServiceProcess): Promise<{ status: number; reason?: string }> {
  const answer = await fetch(`${service.url}/health/ready`)
  return { ...((await answer.json()) as { reason?: string }), status: answer.status }
}

async function corrupt(service: ServiceProcess): Promise<void> {
  service.child.send('corrupt')
  // The channel is read in the same loop as requests: an answer says that what was sent before has arrived.
  await readiness(service)
}

/** Waits until it is not ready because its state differs. */
async function untilStopped(service: ServiceProcess): Promise<void> {
  const { reason } = await eventually(
    () => readiness(service),
    ({ status }) => status === 503,
  )
  expect(reason).toMatch(/takes no orders: its state differs/)
}

async function expectRefusing(service: ServiceProcess): Promise<void> {
  const { status, body, headers } = await place(service)
  expect([status, body.code]).toEqual([503, 'unavailable'])
  expect(body.detail).toMatch(/takes no orders: its state differs/)
  expect(headers.get('retry-after')).toBe('1')
}

async function publisherOf(): Promise<string | undefined> {
  const admin = new pg.Client({ connectionString: database.urls.trading })
  await admin.connect()
  try {
    const { rows } = await admin.query<{ holder: string }>('select holder from trading.leases where expires_at > clock_timestamp()')
    return rows[0]?.holder
  } finally {
    await admin.end()
  }
}

async function idOf(service: ServiceProcess): Promise<string> {
  const { rows } = await query('select id from discovery.instances where pid = $1', [service.child.pid])
  return rows[0]!.id as string
}

async function query(text: string, values: unknown[]): Promise<pg.QueryResult<Record<string, unknown>>> {
  const admin = new pg.Client({ connectionString: database.adminUrl })
  await admin.connect()
  try {
    return await admin.query(text, values)
  } finally {
    await admin.end()
  }
}

describe('replicas of one log', { timeout: 90_000 }, () => {
  test('that are equal show the same hash at the same position, each of them all', async () => {
    await using both = await startTwo(start)
    const [one, two] = both
    for (let count = 0; count < 10; count++) expect((await place(count % 2 === 0 ? one : two)).status).toBe(201)
    for (const asked of [one, two]) {
      const replicas = await eventually(
        () => replicasAt(asked),
        (found) => found.length === 2 && found[0]!.position === found[1]!.position && found[0]!.position > 10,
      )
      expect(replicas.map(({ id }) => id).sort()).toEqual([await idOf(one), await idOf(two)].sort())
      expect(replicas[0]!.state_hash).toBe(replicas[1]!.state_hash)
      expect(replicas[0]!.state_hash).toMatch(/^[0-9a-f]{32}$/)
    }
  })

  test('of which one goes wrong: it stops and says so, the others go on; started anew it agrees again', async () => {
    await using one = await start()
    await using both = await startTwo(start)
    const [two, three] = both
    await eventually(publisherOf, (holder) => holder !== undefined)
    await corrupt(three)
    expect((await place(one)).status).toBe(201)
    await untilStopped(three)
    await expectRefusing(three)
    for (const right of [one, two]) expect((await place(right)).status).toBe(201)
    // An operator sees at a glance who differs.
    const wrong = await idOf(three)
    const replicas = await eventually(
      () => replicasAt(one),
      (found) => new Set(found.map(({ position }) => position)).size === 1,
    )
    const hashes = new Map(replicas.map(({ id, state_hash }) => [id, state_hash]))
    expect(hashes.get(await idOf(one))).toBe(hashes.get(await idOf(two)))
    expect(hashes.get(wrong)).not.toBe(hashes.get(await idOf(one)))
    // What it had recorded has no vote any more, whatever becomes of it.
    await three.kill()
    await using again = await start()
    expect((await place(again)).status).toBe(201)
    for (const right of [one, two, again]) expect((await readiness(right)).status).toBe(200)
  })

  test('of which the publishing one goes wrong: it gives up its lease, and another publishes all there is', async () => {
    await using one = await start()
    const holder = await eventually(publisherOf, (found) => found !== undefined)
    expect(holder).toBe(await idOf(one))
    await using two = await start()
    await corrupt(one)
    expect((await place(two)).status).toBe(201)
    await untilStopped(one)
    await expectRefusing(one)
    const next = await idOf(two)
    await eventually(publisherOf, (found) => found === next)
    const last = await place(two)
    expect(last.status).toBe(201)
    const { body } = await at(alice, two).get<{ items: Order[] }>('/orders?limit=1')
    expect(body.items[0]!.id).toBe(last.body.id)
  })

  test('that is alone with its publishing thread: as nobody can tell who is right, it stops; started anew it is two to one', async () => {
    {
      await using one = await start()
      await eventually(publisherOf, (holder) => holder !== undefined)
      await corrupt(one)
      expect((await place(one)).status).toBe(201)
      await untilStopped(one)
      await expectRefusing(one)
      expect((await at(alice, one).get('/orders?limit=1')).status).toBe(200)
    }
    await using again = await start()
    expect((await place(again)).status).toBe(201)
    expect((await readiness(again)).status).toBe(200)
  })

  test('of which one starts from a damaged past: it never takes an order, and started again neither, until that past is gone', async () => {
    await using one = await start()
    const publisher = `${await idOf(one)}/publisher`
    await eventually(
      () => query('select 1 from trading.state_hashes where replica = $1', [publisher]),
      ({ rows }) => rows.length > 0,
    )
    expect((await place(one)).status).toBe(201)
    await storeWrongSnapshot()
    for (const _ of ['at first', 'again']) {
      await using wrong = await startWithoutWaiting()
      await untilStopped(wrong.service)
      await expectRefusing(wrong.service)
      expect((await place(one)).status).toBe(201)
    }
    await query('delete from trading.snapshots', [])
    await using two = await start()
    expect((await place(two)).status).toBe(201)
    expect((await readiness(one)).status).toBe(200)
  })
})

/** A snapshot as a replica would have stored it that had one order wrong. */
async function storeWrongSnapshot(): Promise<void> {
  await using log = await openPostgresEventLog({ connectionString: database.urls.trading, applicationName: 'test' })
  const exchange = new Exchange()
  const records = await log.read(topics.tradingCommands, 0, { recordsMax: 10_000, bytesMax: 2 ** 26 })
  const commands = records.flatMap(({ body }) => decodeBatch(body))
  for (const command of commands) exchange.apply('quantity' in command ? { ...command, quantity: command.quantity + 1 } : command)
  await query('insert into trading.snapshots (command_count, log_offset, state_hash, body) values ($1, $2, $3, $4)', [
    exchange.commandCount,
    records.at(-1)!.offset,
    exchange.stateHash(),
    Buffer.from(exchange.snapshot()),
  ])
}

/** A process that may never be ready; resolves when it can be asked. */
async function startWithoutWaiting(): Promise<AsyncDisposable & { service: ServiceProcess }> {
  const child = fork(path.join(import.meta.dirname, '../main.ts'), [], {
    env: { ...bareEnvironment, DATABASE_URL: database.urls.trading, ...env },
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  })
  const exited = once(child, 'exit')
  const { rows } = await eventually(
    () => query('select url from discovery.instances where pid = $1', [child.pid]),
    (found) => found.rows.length === 1,
  )
  const service = { url: rows[0]!.url as string, child } as ServiceProcess
  return {
    service,
    async [Symbol.asyncDispose]() {
      child.kill('SIGTERM')
      await exited
    },
  }
}

test('the table of hashes is bounded, in counts and in votes at each', async () => {
  await using own = await createTestDatabase()
  await using service = await startServiceProcess('trading', own.urls.trading, env)
  await service.kill()
  const pool = createPool(own.urls.trading, { applicationName: 'test', onError: () => undefined })
  try {
    const many = Array.from({ length: 3_000 }, (_, index) => ({ command: 1_000_000 + index, slice: 0, hash: 'a' }))
    await postgresStateHashes(pool).record('one', many, true)
    for (let run = 0; run < 20; run++) await postgresStateHashes(pool).record(`run-${run}`, many.slice(-1), true)
    const { rows } = await pool.query(
      'select count(*)::int as votes, count(distinct command_count)::int as counts from trading.state_hashes',
    )
    expect(rows).toEqual([{ votes: 2_048 + 15, counts: 2_048 }])
  } finally {
    await pool.end()
  }
})

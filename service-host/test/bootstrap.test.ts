import pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createTestDatabase, startTestServer, type TestDatabase } from '../../test/support/postgres.ts'
import { bootstrapDatabase, inDatabase } from '../bootstrap.ts'
import { roleOf, schemaOf, serviceKeys, type ServiceKey } from '../names.ts'

let database: TestDatabase

beforeAll(async () => {
  database = await createTestDatabase()
})
afterAll(() => database[Symbol.asyncDispose]())

async function as<T>(service: ServiceKey, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: database.urls[service] })
  await client.connect()
  try {
    return await work(client)
  } finally {
    await client.end()
  }
}

const refused = { code: '42501' }
const append = (table: string) => `select event_log.${table}_append('p', 1, '\\x00', null, null)`

describe('each service', () => {
  test.each(serviceKeys)('%s works in its own schema without naming it', async (service) => {
    await as(service, async (client) => {
      await client.query('create table mine (id int)')
      const { rows } = await client.query(`select schemaname from pg_tables where tablename = 'mine' and tableowner = current_user`)
      expect(rows).toEqual([{ schemaname: schemaOf(service) }])
    })
  })

  test.each(serviceKeys)('%s sees and makes nothing elsewhere', async (service) => {
    await as(service, async (client) => {
      for (const other of serviceKeys) {
        if (other === service) continue
        await expect(client.query(`create table ${schemaOf(other)}.intruder (id int)`)).rejects.toMatchObject(refused)
        await expect(client.query(`select * from ${schemaOf(other)}.mine`)).rejects.toMatchObject(refused)
      }
      for (const schema of ['public', 'event_log', 'discovery'])
        await expect(client.query(`create table ${schema}.intruder (id int)`)).rejects.toMatchObject(refused)
      await expect(client.query('create schema intruder')).rejects.toMatchObject(refused)
      await expect(client.query('create temporary table intruder (id int)')).rejects.toMatchObject(refused)
      await expect(client.query(`create role intruder`)).rejects.toMatchObject(refused)
    })
  })
})

describe('the event log', () => {
  const writers: Record<string, ServiceKey> = {
    trading_commands: 'trading',
    trading_events: 'trading',
    user_events: 'user',
    market_data: 'market-data',
  }
  const readers: Record<string, readonly ServiceKey[]> = {
    trading_commands: ['trading'],
    trading_events: ['trading', 'notification', 'analytics'],
    user_events: ['user', 'trading', 'notification', 'analytics'],
    market_data: ['market-data', 'trading', 'notification', 'analytics'],
  }
  const cases = Object.keys(writers).flatMap((table) => serviceKeys.map((service) => ({ table, service })))

  test.each(cases)('$service and $table: only the writer appends, opens writers, trims', async ({ table, service }) => {
    await as(service, async (client) => {
      const calls = [append(table), `select event_log.${table}_open_writer('w')`, `select event_log.${table}_trim(0, 1)`]
      for (const call of calls) {
        if (writers[table] === service) await client.query(call)
        else await expect(client.query(call)).rejects.toMatchObject(refused)
      }
    })
  })

  test.each(cases)('$service and $table: only readers read, nobody writes the tables', async ({ table, service }) => {
    await as(service, async (client) => {
      for (const part of [table, `${table}_head`]) {
        const read = client.query(`select * from event_log.${part}`)
        if (readers[table]?.includes(service)) await read
        else await expect(read).rejects.toMatchObject(refused)
        await expect(client.query(`delete from event_log.${part}`)).rejects.toMatchObject(refused)
      }
      await expect(client.query(`update event_log.${table} set body = ''`)).rejects.toMatchObject(refused)
      await expect(client.query(`update event_log.${table}_head set head = 0`)).rejects.toMatchObject(refused)
      await expect(client.query(`update event_log.${table}_writers set epoch = 0`)).rejects.toMatchObject(refused)
      await expect(client.query(`truncate event_log.${table}`)).rejects.toMatchObject(refused)
    })
  })
})

test('a wrong password and an unknown role are refused', async () => {
  const url = new URL(database.urls.trading)
  url.password = 'wrong'
  await expect(new pg.Client({ connectionString: url.href }).connect()).rejects.toMatchObject({ code: '28P01' })
})

test('repeated, at once and by an administrator who is no superuser, with changed passwords', async () => {
  await using own = await startTestServer()
  const root = new pg.Client({ connectionString: own.server.adminUrl })
  root.on('error', () => undefined)
  await root.connect()
  await root.query(`create role administrator login createdb createrole password 'x-y-z'`)
  for (const name of ['maru', 'maru_template']) await root.query(`drop database if exists ${name} with (force)`)
  for (const service of serviceKeys) await root.query(`drop role ${roleOf(service)}`)
  await root.end()
  const url = new URL(own.server.adminUrl)
  url.username = 'administrator'
  url.password = 'x-y-z'
  const passwords = (text: string) => Object.fromEntries(serviceKeys.map((service) => [roleOf(service), `${text}%/:@-${service}`]))
  await Promise.all([1, 2, 3].map(() => bootstrapDatabase({ adminUrl: url.href, passwords: passwords('a') })))
  const urls = await bootstrapDatabase({ adminUrl: url.href, passwords: passwords('b') })
  for (const service of serviceKeys) {
    const client = new pg.Client({ connectionString: urls[service] })
    await client.connect()
    const { rows } = await client.query('select current_user as role, current_schema() as schema, current_database() as database')
    expect(rows).toEqual([{ role: roleOf(service), schema: schemaOf(service), database: 'maru' }])
    await client.end()
  }
  const trading = new pg.Client({ connectionString: urls.trading })
  await trading.connect()
  expect((await trading.query(append('trading_commands'))).rows).toEqual([{ trading_commands_append: '1' }])
  await trading.end()
  expect(inDatabase(url.href, 'maru')).toContain('/maru')
  await expect(bootstrapDatabase({ adminUrl: url.href, passwords: {} })).rejects.toThrow('maru_trading')
})

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { chmod, mkdir, mkdtemp, readdir, readFile, readlink, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { createInterface } from 'node:readline'
import pg from 'pg'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { linkLibraries } from '../binaries.ts'
import { PostgresStartError, startPostgres, stopLeftover, type PostgresServer } from '../index.ts'

let folder: string
let dataFolder: string
const started: PostgresServer[] = []

beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), `maru-test-${process.pid}-`))
  dataFolder = path.join(folder, 'home', 'postgres')
})
afterEach(async () => {
  for (const server of started.splice(0)) await server.stop()
  await stopLeftover(dataFolder)
  await rm(folder, { recursive: true, force: true })
})

async function start(options: Partial<Parameters<typeof startPostgres>[0]> = {}): Promise<PostgresServer> {
  const server = await startPostgres({ dataFolder, ...options })
  started.push(server)
  return server
}

async function query(url: string, text: string): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: url })
  client.on('error', () => undefined)
  await client.connect()
  try {
    return (await client.query<Record<string, unknown>>(text)).rows
  } finally {
    await client.end()
  }
}

/** A process that has ended but that nobody has waited for yet counts as ended. */
function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
  } catch {
    return false
  }
  return process.platform !== 'linux' || !readFileSync(`/proc/${pid}/stat`, 'utf8').includes(') Z ')
}

test('started, stopped, started again: the same port, password and data; durable, local, private', async () => {
  const first = await start()
  expect(await query(first.adminUrl, 'show server_version')).toEqual([{ server_version: expect.stringMatching(/^18\./) as string }])
  const shown = await query(
    first.adminUrl,
    `select name, setting from pg_settings where name in ('fsync', 'synchronous_commit', 'listen_addresses', 'unix_socket_directories', 'password_encryption') order by name`,
  )
  expect(Object.fromEntries(shown.map((row) => [row['name'], row['setting']]))).toEqual({
    fsync: 'on',
    synchronous_commit: 'on',
    listen_addresses: '127.0.0.1',
    // In its own folder, which is closed to others.
    unix_socket_directories: process.platform === 'win32' ? '' : dataFolder,
    password_encryption: 'scram-sha-256',
  })
  await query(first.adminUrl, 'create table kept as select 42 as answer')
  expect(await first.stop()).toEqual({ code: 0, signal: null, expected: true })
  expect(isAlive(first.pid)).toBe(false)
  const second = await start()
  expect(second.adminUrl).toBe(first.adminUrl)
  expect(await query(second.adminUrl, 'select answer from kept')).toEqual([{ answer: 42 }])
  const record = path.join(folder, 'home', 'postgres-server.json')
  expect((await stat(record)).mode & 0o777).toBe(0o600)
  expect((await stat(path.dirname(record))).mode & 0o007).toBe(0)
  expect((await stat(dataFolder)).mode & 0o077).toBe(0)
})

test('no password, a wrong one and the empty one are refused, by socket and by TCP', async () => {
  const { adminUrl } = await start()
  for (const password of ['', 'postgres', 'password']) {
    const url = new URL(adminUrl)
    url.password = password
    await expect(query(url.href, 'select 1')).rejects.toThrow(/password/)
    url.search = ''
    await expect(query(url.href, 'select 1')).rejects.toThrow(/password/)
  }
})

test('it answers by its socket and by TCP; below a path too long for a socket by TCP alone', async () => {
  const way = 'select inet_server_addr()::text as address'
  const { adminUrl } = await start()
  const byTcp = new URL(adminUrl)
  expect(byTcp.searchParams.get('host')).toBe(process.platform === 'win32' ? null : dataFolder)
  if (process.platform !== 'win32') expect(await query(adminUrl, way)).toEqual([{ address: null }])
  byTcp.search = ''
  expect(await query(byTcp.href, way)).toEqual([{ address: '127.0.0.1/32' }])
  const deep = await startPostgres({ dataFolder: path.join(folder, 'x'.repeat(100), 'postgres') })
  started.push(deep)
  expect(await query(deep.adminUrl, way)).toEqual([{ address: '127.0.0.1/32' }])
})

test('killed, it says so at once; started again on the same port, committed data is there', async () => {
  const first = await start()
  await query(first.adminUrl, 'create table kept as select 1 as one')
  process.kill(first.pid, 'SIGKILL')
  expect(await first.exited).toEqual({ code: null, signal: 'SIGKILL', expected: false })
  const second = await start()
  expect(second.port).toBe(first.port)
  expect(await query(second.adminUrl, 'select one from kept')).toEqual([{ one: 1 }])
})

test('killed with sessions at work: what they leave behind does not stop the next start', async () => {
  const first = await start()
  const busy = Promise.allSettled(Array.from({ length: 5 }, () => query(first.adminUrl, 'select count(*) from generate_series(1, 1e12)')))
  await expect
    .poll(async () => (await query(first.adminUrl, `select from pg_stat_activity where state = 'active' and query like '%1e12%'`)).length, {
      timeout: 20_000,
    })
    .toBeGreaterThan(5)
  await first.kill()
  const second = await start()
  expect(second.port).toBe(first.port)
  await busy
})

test('the owner is killed -9: the server it left is stopped and another takes its place', async () => {
  const owner = spawn(process.execPath, [path.join(import.meta.dirname, 'owner-process.ts'), dataFolder], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const [line] = (await once(createInterface({ input: owner.stdout }), 'line')) as [string]
  const [pid = 0, port] = line.split(' ').map(Number)
  owner.kill('SIGKILL')
  await once(owner, 'exit')
  expect(isAlive(pid)).toBe(true)
  const next = await start()
  expect(isAlive(pid)).toBe(false)
  expect(next.port).toBe(port)
  expect(await query(next.adminUrl, 'select 1 as one')).toEqual([{ one: 1 }])
})

test('the owner is killed -9 while it makes the data folder: the next start makes it anew', async () => {
  const owner = spawn(process.execPath, [path.join(import.meta.dirname, 'owner-process.ts'), dataFolder], {
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  const isBegun = async () =>
    (await readdir(path.join(folder, 'home'), { recursive: true }).catch(() => [])).some((name) => name.endsWith('/base'))
  await expect.poll(isBegun, { timeout: 20_000, interval: 2 }).toBe(true)
  owner.kill('SIGKILL')
  await once(owner, 'exit')
  const server = await start()
  expect(await query(server.adminUrl, 'select 1 as one')).toEqual([{ one: 1 }])
})

test('a pid file that names a stranger is no obstacle, and the stranger is left alone', async () => {
  const first = await start()
  await first.stop()
  const stranger = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'ignore' })
  await writeFile(path.join(dataFolder, 'postmaster.pid'), `${stranger.pid}\n${dataFolder}\n0\n${first.port}\n\n127.0.0.1\n`)
  await start()
  expect(isAlive(stranger.pid ?? 0)).toBe(true)
  stranger.kill('SIGKILL')
})

test('a remembered port that is taken is replaced, a given one is refused', async () => {
  const first = await start()
  await first.stop()
  const other = createServer().listen(first.port, '127.0.0.1')
  await once(other, 'listening')
  await expect(startPostgres({ dataFolder, port: first.port })).rejects.toThrow(/Address already in use/)
  const second = await start()
  expect(second.port).not.toBe(first.port)
  await second.stop()
  other.close()
  expect((await start()).port).toBe(second.port)
})

test('settings can be given; a wrong one is named', async () => {
  await expect(startPostgres({ dataFolder, settings: { shared_bufers: '1' } })).rejects.toThrow(/shared_bufers/)
  const server = await start({ settings: { work_mem: '7MB' } })
  expect(await query(server.adminUrl, 'show work_mem')).toEqual([{ work_mem: '7MB' }])
})

test('what is in the way is named', async () => {
  await mkdir(dataFolder, { recursive: true })
  await writeFile(path.join(dataFolder, 'holiday.jpg'), '')
  await expect(startPostgres({ dataFolder })).rejects.toThrow(/is not empty and holds no database/)
  await writeFile(path.join(dataFolder, 'PG_VERSION'), '12\n')
  await expect(startPostgres({ dataFolder })).rejects.toThrow(/is of PostgreSQL 12/)
  await writeFile(path.join(dataFolder, 'PG_VERSION'), '18\n')
  await rm(path.join(folder, 'home', 'postgres-server.json'), { force: true })
  await expect(startPostgres({ dataFolder })).rejects.toThrow(PostgresStartError)
})

test.skipIf(process.getuid?.() !== 0)('as root: below a folder closed to others (skipped where not root)', async () => {
  await chmod(folder, 0o700)
  const warnings: string[] = []
  const note = () => undefined
  const server = await start({ logger: { debug: note, info: note, warn: (_fields, message) => warnings.push(message), error: note } })
  expect(await query(server.adminUrl, 'select 1 as one')).toEqual([{ one: 1 }])
  expect(warnings.join()).toContain('capability')
  expect((await stat(folder)).mode & 0o777).toBe(0o700)
})

test('library links that npm did not make are made', async () => {
  await mkdir(path.join(folder, 'native', 'lib'), { recursive: true })
  await writeFile(path.join(folder, 'native', 'lib', 'libx.so.1.2'), 'library')
  await symlink('libx.so.1.2', path.join(folder, 'native', 'lib', 'libx.so'))
  const list = ['libx.so', 'libx.so.1'].map((name) => ({ source: 'native/lib/libx.so.1.2', target: `native/lib/${name}` }))
  await writeFile(path.join(folder, 'native', 'pg-symlinks.json'), JSON.stringify(list))
  await linkLibraries(folder)
  await linkLibraries(folder)
  expect(await readlink(path.join(folder, 'native', 'lib', 'libx.so.1'))).toBe('libx.so.1.2')
  expect(await readFile(path.join(folder, 'native', 'lib', 'libx.so.1'), 'utf8')).toBe('library')
})

import { cp, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startPostgres } from '@maru/postgres-server'
import { Client } from '../support/client.ts'
import { freePort } from '../support/platform.ts'
import { isAlive, isFree, maru, npmStart, processesOf, until, type NpmStart } from './npm-start.ts'
import { RequestStream } from './request-stream.ts'

/** One home through its whole life; the tests follow one another. */
let home: string
let port: number
let running: NpmStart | undefined
const folders: string[] = []
const person = { email: 'kim@example.com', username: 'kim', password: 'correct-horse-battery' }

beforeAll(async () => {
  home = await mkdtemp(path.join(tmpdir(), 'maru-lifecycle-'))
  port = await freePort()
})

afterAll(async () => {
  running?.npm.kill('SIGTERM')
  await running?.ended
  for (const folder of [home, ...folders]) await rm(folder, { recursive: true, force: true })
})

async function start(): Promise<NpmStart> {
  running = npmStart(home, port)
  await running.ready()
  return running
}

/** Signals npm as a process manager would, or the whole group as Ctrl-C in a terminal does. */
async function stop(platform: NpmStart, how: 'SIGTERM to npm' | 'Ctrl-C'): Promise<void> {
  const { supervisor, services, standbys, postgres } = await processesOf(home)
  if (how === 'Ctrl-C') process.kill(-(platform.npm.pid as number), 'SIGINT')
  else platform.npm.kill('SIGTERM')
  expect(await platform.ended).toEqual({ code: 0, signal: null })
  running = undefined
  expect([supervisor, ...services, ...standbys, postgres].filter(isAlive)).toEqual([])
  expect(await isFree(port)).toBe(true)
}

async function logIn(): Promise<Response> {
  return fetch(`http://127.0.0.1:${port}/api/user/token`, {
    method: 'POST',
    body: new URLSearchParams({ username: person.email, password: person.password }),
  })
}

async function balance(): Promise<string> {
  const { access_token: token, user_id: userId } = (await (await logIn()).json()) as { access_token: string; user_id: string }
  const answer = await fetch(`http://127.0.0.1:${port}/api/trading/accounts/${userId}/balances`, {
    headers: { authorization: `Bearer ${token}` },
  })
  return JSON.stringify([answer.status, await answer.json()])
}

/** Each service replaced while requests go to all of them, without one that fails; then a release that crashes at its start is taken back. */
async function deployEverything(): Promise<void> {
  const { access_token: token, user_id: userId } = (await (await logIn()).json()) as { access_token: string; user_id: string }
  const before = (await processesOf(home)).services
  const requests = new RequestStream(port, token, userId)
  const deployed = maru(home, ['deploy', 'all', '--bake', '0.2'])
  expect(await deployed.ended, deployed.output()).toBe(0)
  expect((deployed.output().match(/ is deployed in /g) ?? []).length).toBe(6)
  await requests.stop()
  expect(requests.failures).toEqual([])
  expect(requests.count).toBeGreaterThan(100)
  const after = (await processesOf(home)).services
  expect(after).toHaveLength(6)
  expect(after.filter((pid) => before.includes(pid))).toEqual([])

  const release = path.join(home, 'bad-release')
  await mkdir(path.join(release, 'services/analytics'), { recursive: true })
  await mkdir(path.join(release, 'node_modules'))
  await writeFile(path.join(release, 'services/analytics/main.ts'), `throw new Error('this release is broken')\n`)
  const bad = maru(home, ['deploy', 'analytics', '--from', release])
  expect(await bad.ended).toBe(1)
  expect(bad.output()).toMatch(/analytics was not deployed: .*this release is broken.*The instances before were not touched/)
  expect(new Set((await processesOf(home)).services)).toEqual(new Set(after))
  const status = maru(home, ['status', '--json'])
  expect(await status.ended).toBe(0)
  expect((JSON.parse(status.output()) as { instances: { state: string }[] }).instances.map(({ state }) => state)).toEqual(
    Array.from({ length: 6 }, () => 'ready'),
  )
}

/** A backup taken while orders and other requests come in; gives its folder. */
async function saveUnderRequests(): Promise<string> {
  const { access_token: token, user_id: userId } = (await (await logIn()).json()) as { access_token: string; user_id: string }
  const requests = new RequestStream(port, token, userId)
  const folder = await mkdtemp(path.join(tmpdir(), 'maru-backup-'))
  folders.push(folder)
  const saving = maru(home, ['backup', path.join(folder, 'backup')])
  expect(await saving.ended, saving.output()).toBe(0)
  await requests.stop()
  expect(requests.failures).toEqual([])
  return path.join(folder, 'backup')
}

/** One byte changed in one file: nothing is restored, and the folder stays empty. */
async function expectDamageIsFound(saved: string, target: string): Promise<void> {
  const damaged = path.join(saved, '../damaged')
  await cp(saved, damaged, { recursive: true })
  const file = path.join(damaged, 'data/event_log.trading_commands.copy.zst')
  const bytes = await readFile(file)
  // Not in the last four bytes, which are zstd's own sum: with those damaged the rows are still what was saved.
  const middle = Math.floor(bytes.length / 2)
  bytes[middle] = (bytes[middle] as number) ^ 1
  await writeFile(file, bytes)
  const restoring = maru(target, ['restore', damaged])
  expect(await restoring.ended, restoring.output()).toBe(1)
  expect(restoring.output()).toContain('trading_commands.copy.zst is damaged')
  expect(await readdir(target)).toEqual([])
}

/** What a backup holds, but for when it was made. */
async function manifestOf(folder: string): Promise<{ tables: { table: string; rows: number }[]; files: Record<string, string> }> {
  const { created_at: _, ...rest } = JSON.parse(await readFile(path.join(folder, 'manifest.json'), 'utf8')) as {
    created_at: string
    tables: { table: string; rows: number }[]
    files: Record<string, string>
  }
  return rest
}

async function askAsOperator({ email, password }: { email: string; password: string }, where: string): Promise<{ body: unknown }> {
  const client = new Client(`http://127.0.0.1:${port}`)
  await client.login(email, password)
  return client.get(where)
}

describe('npm start', { timeout: 180_000 }, () => {
  let kept = ''
  let saved = ''

  test('prints one line when all is ready, which says that the market is invented', async () => {
    const platform = await start()
    expect(platform.lines()).toHaveLength(1)
    expect(platform.lines()[0]).toMatch(new RegExp(`^Maru is ready at http://localhost:${port} \\(SYNTHETIC MARKET`))
    expect((await fetch(`${platform.url}/health/ready`)).status).toBe(200)
    for (const file of ['operator.json', 'secrets.json', 'token-key.pem'])
      expect((await stat(path.join(home, file))).mode & 0o777, file).toBe(0o600)
  })

  test('is refused a second time on the same home, naming who runs', async () => {
    const { supervisor } = await processesOf(home)
    const second = npmStart(home, await freePort())
    expect((await second.ended).code).toBe(1)
    expect(second.errors()).toContain(`Maru already runs on ${home} (pid ${supervisor}, http://localhost:${port})`)
    expect((await fetch(`http://127.0.0.1:${port}/health/ready`)).status).toBe(200)
  })

  test('takes a registration, and ends cleanly on SIGTERM', async () => {
    const registered = await fetch(`http://127.0.0.1:${port}/api/user/register`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(person),
    })
    expect(registered.status).toBe(201)
    await until('the account and its play money', async () => (await balance()).includes('100000'))
    kept = await balance()
    const platform = running as NpmStart
    await stop(platform, 'SIGTERM to npm')
    expect(platform.lines()).toHaveLength(1)
  })

  test('goes on where it was, and ends cleanly on Ctrl-C, which reaches it from the terminal and from npm', async () => {
    const platform = await start()
    expect(await balance()).toBe(kept)
    await deployEverything()
    await stop(platform, 'Ctrl-C')
  })

  test('killed outright leaves no service running, and is started again at once with all data', async () => {
    await start()
    // In the middle of a deploy, with an instance on trial that is not ready yet.
    const deploying = maru(home, ['deploy', 'trading'])
    await until('the start of a new instance', () => deploying.output().includes('is started'))
    const { supervisor, services, standbys, postgres } = await processesOf(home)
    expect(services).toHaveLength(7)
    process.kill(supervisor, 'SIGKILL')
    expect(await deploying.ended).toBe(1)
    expect(deploying.output()).toContain('the supervisor ended before the command did; what was not finished is not kept')
    await running?.ended
    // Started while the services of the killed one may still be on their way out and its PostgreSQL still runs.
    const platform = await start()
    expect([...services, ...standbys].filter(isAlive)).toEqual([])
    expect(isAlive(postgres)).toBe(false)
    expect((await processesOf(home)).services).toHaveLength(6)
    expect(await balance()).toBe(kept)
    saved = await saveUnderRequests()
    await stop(platform, 'SIGTERM to npm')
  })

  test('what was saved while it ran is restored byte for byte, goes on from there, and every asset adds up', async () => {
    const restored = await mkdtemp(path.join(tmpdir(), 'maru-lifecycle-'))
    const before = home
    folders.push(before)
    await expectDamageIsFound(saved, restored)
    const restoring = maru(restored, ['restore', saved])
    expect(await restoring.ended, restoring.output()).toBe(0)
    const again = maru(restored, ['backup', path.join(restored, 'again')])
    expect(await again.ended, again.output()).toBe(0)
    const first = await manifestOf(saved)
    const second = await manifestOf(path.join(restored, 'again'))
    expect(first.tables.some(({ table, rows }) => table === 'trading_commands' && rows > 0)).toBe(true)
    expect(second).toEqual(first)
    expect(new Set(Object.keys(first.files))).toEqual(
      new Set(['api-keys.key', 'gateway.key', 'operator.json', 'secrets.json', 'token-key.pem']),
    )
    home = restored
    await start()
    expect(await balance()).toBe(kept)
    const operator = JSON.parse(await readFile(path.join(home, 'operator.json'), 'utf8')) as { email: string; password: string }
    const { body } = await askAsOperator(operator, '/api/trading/reconciliation')
    const { assets } = body as { assets: { difference: string }[] }
    expect(assets.length).toBeGreaterThan(1)
    expect(new Set(assets.map(({ difference }) => difference))).toEqual(new Set(['0']))
  })

  test("what was saved goes into a server of one's own by DATABASE_URL, once, and is saved from there again", async () => {
    const folder = await mkdtemp(path.join(tmpdir(), 'maru-lifecycle-'))
    folders.push(folder)
    const server = await startPostgres({ dataFolder: path.join(folder, 'postgres') })
    try {
      const environment = { DATABASE_URL: server.adminUrl }
      const restoring = maru(path.join(folder, 'home'), ['restore', saved], environment)
      expect(await restoring.ended, restoring.output()).toBe(0)
      expect(await readdir(path.join(folder, 'home'))).not.toContain('postgres')
      const again = maru(path.join(folder, 'home'), ['backup', path.join(folder, 'again')], environment)
      expect(await again.ended, again.output()).toBe(0)
      expect(await manifestOf(path.join(folder, 'again'))).toEqual(await manifestOf(saved))
      const twice = maru(path.join(folder, 'other'), ['restore', saved], environment)
      expect(await twice.ended, twice.output()).toBe(1)
      expect(twice.output()).toContain('the server of DATABASE_URL has a database "maru" already; nothing is written over')
      expect(await readdir(path.join(folder, 'other')).catch(() => [])).toEqual([])
    } finally {
      await server.stop()
    }
  })

  test('npm itself killed outright: the platform ends by itself', async () => {
    const platform = running as NpmStart
    const { supervisor, services, standbys, postgres } = await processesOf(home)
    platform.npm.kill('SIGKILL')
    await until('the end of all processes', () => ![supervisor, ...services, ...standbys, postgres].some(isAlive))
    running = undefined
    expect(await isFree(port)).toBe(true)
  })
})

test('a port that is taken is named, with the way out, and nothing is left running', async () => {
  const folder = await mkdtemp(path.join(tmpdir(), 'maru-lifecycle-'))
  const other = createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => other.on('listening', resolve))
  const { port: taken } = other.address() as { port: number }
  try {
    const platform = npmStart(folder, taken)
    expect((await platform.ended).code).toBe(1)
    expect(platform.errors()).toContain(`Port ${taken} is taken by another program`)
    expect(platform.errors()).toContain(`MARU_PORT=${taken + 1} npm start`)
  } finally {
    other.close()
    await rm(folder, { recursive: true, force: true })
  }
})

test('settings at fault are reported together, before anything is started', async () => {
  const folder = path.join(tmpdir(), `maru-lifecycle-never-${process.pid}`)
  const platform = npmStart(folder, 99_999, { MARU_LOG: 'kafka://127.0.0.1:9092', MARU_LOG_LEVEL: 'loud' })
  expect((await platform.ended).code).toBe(78)
  for (const name of ['MARU_PORT', 'MARU_LOG', 'MARU_LOG_LEVEL']) expect(platform.errors()).toContain(`  - ${name} `)
  await expect(stat(folder)).rejects.toThrow('ENOENT')
})

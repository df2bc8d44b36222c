import { mkdtemp, rm, stat } from 'node:fs/promises'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { freePort } from '../support/platform.ts'
import { isAlive, isFree, npmStart, processesOf, until, type NpmStart } from './npm-start.ts'

/** One home through its whole life; the tests follow one another. */
let home: string
let port: number
let running: NpmStart | undefined
const person = { email: 'kim@example.com', username: 'kim', password: 'correct-horse-battery' }

beforeAll(async () => {
  home = await mkdtemp(path.join(tmpdir(), 'maru-lifecycle-'))
  port = await freePort()
})

afterAll(async () => {
  running?.npm.kill('SIGTERM')
  await running?.ended
  await rm(home, { recursive: true, force: true })
})

async function start(): Promise<NpmStart> {
  running = npmStart(home, port)
  await running.ready()
  return running
}

/** Signals npm as a process manager would, or the whole group as Ctrl-C in a terminal does. */
async function stop(platform: NpmStart, how: 'SIGTERM to npm' | 'Ctrl-C'): Promise<void> {
  const { supervisor, services, postgres } = await processesOf(home)
  if (how === 'Ctrl-C') process.kill(-(platform.npm.pid as number), 'SIGINT')
  else platform.npm.kill('SIGTERM')
  expect(await platform.ended).toEqual({ code: 0, signal: null })
  running = undefined
  expect([supervisor, ...services, postgres].filter(isAlive)).toEqual([])
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

describe('npm start', { timeout: 150_000 }, () => {
  let kept = ''

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
    await stop(platform, 'Ctrl-C')
  })

  test('killed outright leaves no service running, and is started again at once with all data', async () => {
    await start()
    const { supervisor, services, postgres } = await processesOf(home)
    process.kill(supervisor, 'SIGKILL')
    await running?.ended
    // Started while the services of the killed one may still be on their way out and its PostgreSQL still runs.
    const platform = await start()
    expect(services.filter(isAlive)).toEqual([])
    expect(isAlive(postgres)).toBe(false)
    expect(await balance()).toBe(kept)
    await stop(platform, 'SIGTERM to npm')
  })

  test('npm itself killed outright: the platform ends by itself', async () => {
    const platform = await start()
    const { supervisor, services, postgres } = await processesOf(home)
    platform.npm.kill('SIGKILL')
    await until('the end of all processes', () => ![supervisor, ...services, postgres].some(isAlive))
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

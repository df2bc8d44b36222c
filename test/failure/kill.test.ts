import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { expect, test } from 'vitest'
import { Client, eventually } from '../support/client.ts'
import { startPlatform, type Platform } from '../support/platform.ts'
import { OrderStream } from './order-stream.ts'

const services = ['gateway', 'trading', 'user', 'market-data', 'notification', 'analytics'] as const

test('whatever is killed comes back by itself, and every acknowledged order is there once', { timeout: 400_000 }, async () => {
  await using platform = await startPlatform({ env: { MARU_RATE_LIMIT_PER_SECOND: '100000' } })
  const client = await Client.registered(platform.url, 'kill')
  await eventually(
    () => client.get<{ asks: unknown[] }>('/api/trading/markets/BTC-USDT/book'),
    ({ body }) => body.asks.length > 0,
  )
  const streams = [1, 2, 3].map((number) => new OrderStream(client, `stream${number}`))
  for (const stream of streams) stream.start()
  const placed = (): number => streams.reduce((sum, stream) => sum + stream.acknowledged.length, 0)

  const recoveries: Record<string, number> = {}
  for (const service of services) {
    const before = await instancesOf(platform, service)
    const startedMs = performance.now()
    for (const { pid } of before) process.kill(pid, 'SIGKILL')
    await eventually(
      () => instancesOf(platform, service),
      (now) => now.some(({ pid, state }) => state === 'ready' && !before.some((old) => old.pid === pid)),
      30_000,
    )
    await tradesAgain(placed)
    recoveries[service] = Math.round(performance.now() - startedMs)
  }
  {
    const pid = await postgresPid(platform)
    const startedMs = performance.now()
    process.kill(pid, 'SIGKILL')
    await eventually(
      () => postgresPid(platform),
      (now) => now !== pid,
      30_000,
    )
    await eventually(
      () => fetch(`${platform.url}/health/ready`),
      (answer) => answer.status === 200,
      30_000,
    )
    await tradesAgain(placed)
    recoveries['postgresql'] = Math.round(performance.now() - startedMs)
  }
  for (const stream of streams) await stream.stop()
  process.stdout.write(
    `recovery in ms, from the kill to the next order taken: ${JSON.stringify(recoveries)}; orders ${placed()}, retries ${streams.reduce((sum, stream) => sum + stream.retries, 0)}\n`,
  )
  expect(streams.flatMap((stream) => stream.faults)).toEqual([])
  await holdsEveryOrder(client, streams)
  await addsUp(platform)

  // The supervisor itself, with everything under it; started again on the same home it goes on where it was.
  platform.supervisor.kill('SIGKILL')
  const old = await Promise.all(services.map((service) => instancesOf(platform, service).catch(() => [])))
  await eventually(
    () => Promise.resolve(old.flat().filter(({ pid }) => isAlive(pid))),
    (alive) => alive.length === 0,
    20_000,
  )
  await using again = await startPlatform({ home: platform.home, env: { MARU_RATE_LIMIT_PER_SECOND: '100000' } })
  const sameClient = new Client(again.url)
  await sameClient.login(client.email, client.password)
  await holdsEveryOrder(sameClient, streams)
  await addsUp(again)
})

async function instancesOf(platform: Platform, service: string): Promise<{ pid: number; state: string }[]> {
  return (await platform.services()).filter((instance) => instance.service === service)
}

async function postgresPid(platform: Platform): Promise<number> {
  return Number((await readFile(path.join(platform.home, 'postgres', 'postmaster.pid'), 'utf8')).split('\n')[0])
}

/** Waits until more orders have been acknowledged than before. */
async function tradesAgain(placed: () => number): Promise<void> {
  const before = placed()
  await eventually(
    () => Promise.resolve(placed()),
    (now) => now > before + 3,
    30_000,
  )
}

async function holdsEveryOrder(client: Client, streams: readonly OrderStream[]): Promise<void> {
  const wanted = new Map(streams.flatMap((stream) => stream.acknowledged.map(({ clientOrderId, id }) => [clientOrderId, id])))
  const found = new Map<string, string[]>()
  let cursor: string | null = null
  do {
    const page: { body: { items: { id: string; client_order_id: string }[]; next_cursor: string | null } } = await client.get(
      `/api/trading/orders?limit=500${cursor === null ? '' : `&cursor=${cursor}`}`,
    )
    for (const order of page.body.items) found.set(order.client_order_id, [...(found.get(order.client_order_id) ?? []), order.id])
    cursor = page.body.next_cursor
  } while (cursor !== null)
  expect(wanted.size).toBeGreaterThan(0)
  for (const [clientOrderId, id] of wanted) expect([clientOrderId, found.get(clientOrderId)]).toEqual([clientOrderId, [id]])
}

async function addsUp(platform: Platform): Promise<void> {
  const operator = new Client(platform.url)
  const login = await platform.operator()
  await operator.login(login.email, login.password)
  const { body } = await operator.get<{ assets: { asset: string; difference: string }[] }>('/api/trading/reconciliation')
  expect(body.assets.map((asset) => asset.difference)).toEqual(body.assets.map(() => '0'))
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

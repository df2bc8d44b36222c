import { once } from 'node:events'
import { connect } from 'node:net'
import Type from 'typebox'
import { describe, expect, test } from 'vitest'
import { endpoint } from '@maru/contracts'
import type { HttpService } from '@maru/service-host'
import { openRig, until, type Hosted, type Rig } from './support/rig.ts'
import { anything, api, define, hasTrunk, hosted, isTrunk, shared, text, trunksOf } from './support/trunk.ts'

/** An endpoint whose answers the test gives. */
function held() {
  const waiting: (() => void)[] = []
  const endpointOf = (method: 'GET' | 'POST') =>
    endpoint({ ...shared, method, path: '/held', ...(method === 'POST' ? { body: anything } : {}), reply: anything })
  return {
    waiting,
    define(http: HttpService) {
      define(http)
      for (const method of ['GET', 'POST'] as const)
        http.serve(endpointOf(method), () => new Promise((resolve) => waiting.push(() => resolve({ method }))))
    },
  }
}

const json = { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{}' }

describe('when something fails', () => {
  test('an instance that dies: what is safe is asked of another, what is not is 502, and neither twice', async () => {
    await using rig = await openRig()
    const [a, b] = [held(), held()]
    const first = await hosted(rig, a.define)
    const safe = Promise.all(Array.from({ length: 5 }, () => fetch(`${rig.url}${api}/held`)))
    const unsafe = Promise.all(Array.from({ length: 5 }, () => fetch(`${rig.url}${api}/held`, json)))
    await until(() => a.waiting.length === 10)
    await hosted(rig, b.define)
    await first.crash()
    await until(() => b.waiting.length === 5)
    expect((await unsafe).map(({ status }) => status)).toEqual([502, 502, 502, 502, 502])
    for (const answer of b.waiting) answer()
    expect((await safe).map(({ status }) => status)).toEqual([200, 200, 200, 200, 200])
    expect(b.waiting).toHaveLength(5)
  })

  test('a trunk that breaks is made anew, and what comes meanwhile goes by HTTP', async () => {
    await using rig = await openRig()
    const service = await hosted(rig, define)
    for (let round = 0; round < 3; round += 1) {
      const [trunk] = trunksOf(service)
      trunk!.destroy()
      await until(async () => !(await hasTrunk(rig)))
      const answers = await Promise.all(Array.from({ length: 20 }, () => fetch(`${rig.url}${api}/echo`)))
      expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]))
      await until(() => isTrunk(service))
    }
    expect(trunksOf(service)).toHaveLength(1)
  })

  test('no answer in time is 504; what is asked beside it is answered', async () => {
    await using rig = await openRig({ MARU_GATEWAY_UPSTREAM_TIMEOUT_MS: '300' })
    const h = held()
    const service = await hosted(rig, h.define)
    const late = fetch(`${rig.url}${api}/held`)
    let statuses: number[] = []
    await until(async () => {
      statuses.push((await fetch(`${rig.url}${api}/echo`)).status)
      return Promise.race([late.then(() => true), new Promise<boolean>((resolve) => setImmediate(() => resolve(false)))])
    })
    expect((await late).status).toBe(504)
    expect(new Set(statuses)).toEqual(new Set([200]))
    expect(trunksOf(service)).toHaveLength(1)
    // The answer that comes after all reaches nobody.
    for (const answer of h.waiting) answer()
    statuses = await Promise.all(Array.from({ length: 10 }, async () => (await fetch(`${rig.url}${api}/echo`)).status))
    expect(new Set(statuses)).toEqual(new Set([200]))
  })

  test('the time limit of a client is its own', async () => {
    await using rig = await openRig()
    const h = held()
    await hosted(rig, h.define)
    const answer = await fetch(`${rig.url}${api}/held`, { headers: { 'x-request-timeout-ms': '50' } })
    expect([answer.status, ((await answer.json()) as { code: string }).code]).toEqual([504, 'gateway_timeout'])
  })

  test('an instance that stops answers what it took, is asked no more, and its trunk ends', async () => {
    await using rig = await openRig()
    const h = held()
    const service = await hosted(rig, h.define)
    const under = Promise.all(Array.from({ length: 10 }, () => fetch(`${rig.url}${api}/held`, json)))
    await until(() => h.waiting.length === 10)
    await service.withdraw()
    const stopped = service.http.stop(5_000)
    for (const answer of h.waiting) answer()
    expect((await under).map(({ status }) => status)).toEqual(Array.from({ length: 10 }, () => 200))
    await stopped
    expect(service.sockets.size).toBe(0)
  })

  /** A client that takes nothing of a long answer, and what has come to it once it does. */
  async function readSlowly(rig: Rig, service: Hosted) {
    const { hostname, port } = new URL(rig.url)
    const client = connect({ host: hostname, port: Number(port) })
    client.pause()
    let length = 0
    client.on('data', (chunk: Buffer) => (length += chunk.length))
    client.write(`GET ${api}/huge HTTP/1.1\r\nHost: a\r\n\r\n`)
    // Until its buffers are full nothing stops it.
    const [trunk] = trunksOf(service)
    await until(() => trunk!.bytesWritten > 1_000_000)
    for (let before = -1; trunk!.bytesWritten > before + 64 * 1_024;) {
      before = trunk!.bytesWritten
      for (let turn = 0; turn < 20; turn += 1) expect((await fetch(`${rig.url}${api}/echo`)).status).toBe(200)
    }
    return { client, trunk: trunk!, length: () => length, [Symbol.dispose]: () => void client.destroy() }
  }

  const body = 'y'.repeat(30_000_000)
  const huge = endpoint({ ...shared, method: 'GET', path: '/huge', reply: Type.Object({ body: Type.String() }) })
  const defineHuge = (http: HttpService): void => {
    define(http)
    http.serve(huge, () => ({ body }))
  }

  test('an answer in parts waits for a client that reads slowly, and no other waits with it', async () => {
    await using rig = await openRig()
    using reader = await readSlowly(rig, await hosted(rig, defineHuge))
    expect(reader.trunk.bytesWritten).toBeLessThan(20_000_000)
    reader.client.resume()
    await until(() => reader.length() > body.length)
  })

  test('an answer in parts comes whole also where its instance leaves meanwhile', async () => {
    await using rig = await openRig()
    const service = await hosted(rig, defineHuge)
    using reader = await readSlowly(rig, service)
    await service.withdraw()
    const stopped = service.http.stop(20_000)
    await until(async () => (await rig.health()).length === 0)
    reader.client.resume()
    await until(() => reader.length() > body.length)
    await stopped
    expect(service.sockets.size).toBe(0)
  })

  test('one that is asked for before its instance leaves, and begins after, comes whole', async () => {
    await using rig = await openRig()
    let give: (() => void) | undefined
    const late = endpoint({ ...shared, method: 'GET', path: '/late', reply: Type.Object({ text: Type.String() }) })
    const service = await hosted(rig, (http) => http.serve(late, () => new Promise((resolve) => (give = () => resolve({ text })))))
    const answer = fetch(`${rig.url}${api}/late`)
    await until(() => give !== undefined)
    await service.withdraw()
    const stopped = service.http.stop(20_000)
    await until(async () => (await rig.health()).length === 0)
    give!()
    expect(await (await answer).json()).toEqual({ text })
    await stopped
  })

  test('a body longer than a service takes is refused, and nobody else with it', async () => {
    await using rig = await openRig({ MARU_GATEWAY_BODY_MAX_BYTES: '1000000' })
    const h = held()
    const service = await hosted(rig, h.define)
    const others = Promise.all(Array.from({ length: 5 }, () => fetch(`${rig.url}${api}/held`, json)))
    await until(() => h.waiting.length === 5)
    const long = await fetch(`${rig.url}${api}/echo/a`, { ...json, body: JSON.stringify({ a: 'x'.repeat(200_000) }) })
    expect(long.status).toBe(413)
    for (const answer of h.waiting) answer()
    expect((await others).map(({ status }) => status)).toEqual([200, 200, 200, 200, 200])
    expect(trunksOf(service)).toHaveLength(1)
  })

  test('an instance that says nothing for long is sent no more down that trunk, but what it was asked has its own time', async () => {
    await using rig = await openRig({ MARU_GATEWAY_UPSTREAM_TIMEOUT_MS: '1000' })
    const h = held()
    const service = await hosted(rig, h.define)
    const sinceMs = performance.now()
    const first = fetch(`${rig.url}${api}/held`)
    await until(() => h.waiting.length === 1)
    const [trunk] = trunksOf(service)
    // Asked when most of the time of the first is over.
    await until(() => performance.now() > sinceMs + 700)
    const second = fetch(`${rig.url}${api}/held`, json)
    expect((await first).status).toBe(504)
    h.waiting[1]!()
    expect((await second).status).toBe(200)
    await until(() => trunk!.destroyed)
    await until(() => hasTrunk(rig))
  })

  test('a client that leaves in the middle of an answer in parts leaves nothing behind', async () => {
    await using rig = await openRig()
    const service = await hosted(rig, defineHuge)
    const { hostname, port } = new URL(rig.url)
    const client = connect({ host: hostname, port: Number(port) })
    client.write(`GET ${api}/huge HTTP/1.1\r\nHost: a\r\n\r\n`)
    await once(client, 'data')
    client.resetAndDestroy()
    await until(async () => (await rig.health()).length === 1 && rig.gateway.work().inFlight === 0)
    // With nothing left to say, the trunk ends at once.
    await service.withdraw()
    const sinceMs = performance.now()
    await service.http.stop(60_000)
    expect(performance.now() - sinceMs).toBeLessThan(10_000)
  })
})

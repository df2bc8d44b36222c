import type { RequestListener } from 'node:http'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { echoListener, openRig, until, type Rig } from './support/rig.ts'

describe.each(['plain', 'node'] as const)('a gateway whose requests are read by the parser %s', (parser) => {
  const openHere = (environment: Record<string, string> = {}) => openRig({ MARU_HTTP_PARSER: parser, ...environment })
  let rig: Rig
  beforeEach(async () => {
    rig = await openHere({
      MARU_GATEWAY_UPSTREAM_TIMEOUT_MS: '400',
      MARU_GATEWAY_WAIT_MS: '300',
      MARU_CIRCUIT_OPEN_MS: '300',
      MARU_CIRCUIT_FAILURES: '5',
    })
  })
  afterEach(() => rig[Symbol.asyncDispose]())

  async function ask(path: string, method = 'GET') {
    const answer = await fetch(rig.url + path, { method, ...(method === 'POST' ? { body: '{}' } : {}) })
    const text = await answer.text()
    let code: string | undefined
    try {
      code = (JSON.parse(text) as { code?: string }).code
    } catch {
      // Not every answer is JSON.
    }
    return { status: answer.status, code, retryAfter: answer.headers.get('retry-after'), text }
  }

  const circuits = async () => (await rig.health()).map(({ circuit }) => circuit)

  describe('an instance that fails', () => {
    test('no instance at all: 503 at once, with Retry-After', async () => {
      expect(await ask('/api/trading/x')).toMatchObject({ status: 503, code: 'unavailable', retryAfter: '1' })
    })

    test('connections refused: nothing was sent, so even a POST goes to another instance', async () => {
      const dead = await rig.serve('trading', echoListener)
      await dead.crash()
      await rig.serve('trading', echoListener)
      for (let count = 0; count < 20; count += 1) expect((await ask('/api/trading/x', 'POST')).status).toBe(200)
    })

    test('connections refused by the only instance: 503, nothing was done', async () => {
      const dead = await rig.serve('trading', echoListener)
      await dead.crash()
      expect(await ask('/api/trading/x', 'POST')).toMatchObject({ status: 503, code: 'unavailable', retryAfter: '1' })
    })

    test('a request that finds no instance waits a moment for the one that is starting', async () => {
      const first = await rig.serve('trading', echoListener)
      await first.withdraw()
      await until(async () => (await rig.health()).length === 0)
      const waiting = ask('/api/trading/x', 'POST')
      await rig.serve('trading', echoListener)
      expect(await waiting).toMatchObject({ status: 200 })
    })

    test('a POST that was sent is never sent again: 502; a GET is, once', async () => {
      let posts = 0
      let gets = 0
      const breakOff: RequestListener = (request) => {
        if (request.method === 'POST') posts += 1
        else gets += 1
        request.socket.destroy()
      }
      await rig.serve('trading', breakOff)
      await rig.serve('trading', breakOff)
      expect(await ask('/api/trading/x', 'POST')).toMatchObject({ status: 502, code: 'bad_gateway' })
      expect(posts).toBe(1)
      expect(await ask('/api/trading/x')).toMatchObject({ status: 502, code: 'bad_gateway' })
      expect(gets).toBe(2)
    })

    test('a POST that one instance breaks off is not sent again; the retry of its client goes to another', async () => {
      await rig.serve('trading', (request) => request.socket.destroy())
      await rig.serve('trading', echoListener)
      // One of the two is drawn at random: asked often enough, it was the one that breaks off, and then not again.
      const statuses: number[] = []
      while (!statuses.includes(502)) statuses.push((await ask('/api/trading/x', 'POST')).status)
      for (let count = 0; count < 20; count += 1) expect((await ask('/api/trading/x', 'POST')).status).toBe(200)
    })

    test('a GET that one instance breaks off is answered by the other', async () => {
      await rig.serve('trading', (request) => request.socket.destroy())
      await rig.serve('trading', echoListener)
      for (let count = 0; count < 20; count += 1) expect((await ask('/api/trading/x')).status).toBe(200)
    })

    test('an instance that hangs: 504 after the time limit, and no second try', async () => {
      let asked = 0
      await rig.serve('trading', () => (asked += 1))
      expect(await ask('/api/trading/x')).toMatchObject({ status: 504, code: 'gateway_timeout' })
      expect(await ask('/api/trading/x', 'POST')).toMatchObject({ status: 504, code: 'gateway_timeout' })
      expect(asked).toBe(2)
    })

    test.each([
      ['garbage', 'this is no HTTP\r\n\r\n'],
      ['a head that breaks off', 'HTTP/1.1 200 OK\r\nContent-Le'],
      ['a body that breaks off', 'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf'],
      ['both lengths', 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nhello'],
      ['two lengths', 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!'],
      ['a head without end', `HTTP/1.1 200 OK\r\n${'X-Big: '.padEnd(60_000, 'x')}\r\n\r\n`],
    ])('%s: 502 problem, never a part of it', async (_name, bytes) => {
      await rig.serveTcp('trading', (socket) => {
        socket.once('data', () => socket.end(bytes))
      })
      expect(await ask('/api/trading/x', 'POST')).toMatchObject({ status: 502, code: 'bad_gateway' })
    })

    test('a long answer that breaks off in the middle is broken off for the client too, not ended as if whole', async () => {
      await rig.serve('trading', (_request, response) => {
        response.writeHead(200, { 'content-length': 1_000_000 })
        response.write(Buffer.alloc(100_000), () => response.destroy())
      })
      await expect(ask('/api/trading/x')).rejects.toThrow('terminated')
      // Chunked as well: without the closing chunk a client knows.
      await rig.serve('user', (_request, response) => {
        response.writeHead(200)
        response.write('part', () => response.destroy())
      })
      await expect(ask('/api/user/x')).rejects.toThrow('terminated')
    })

    test('bytes that a service sends after its answer never reach anybody', async () => {
      await rig.serveTcp('trading', (socket) => {
        socket.on('data', () =>
          socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nstolen'),
        )
      })
      for (let count = 0; count < 10; count += 1) {
        const { status, text } = await ask('/api/trading/x', 'POST')
        expect(text).not.toContain('stolen')
        expect([200, 502]).toContain(status)
      }
    })

    test('an instance whose requests the client leaves is not blamed', async () => {
      let asked = 0
      await rig.serve('trading', () => (asked += 1))
      for (let count = 1; count <= 8; count += 1) {
        const leaving = new AbortController()
        const answer = fetch(`${rig.url}/api/trading/x`, { signal: leaving.signal }).catch(() => 'left')
        await until(() => asked === count)
        leaving.abort()
        expect(await answer).toBe('left')
      }
      expect(await circuits()).toEqual(['closed'])
    })
  })

  describe('the circuit', () => {
    test('opens after five failures in a row, answers at once, tries one request, and closes when that succeeds', async () => {
      let healthy = false
      let asked = 0
      await rig.serve('trading', (request, response) => {
        asked += 1
        if (healthy) echoListener(request, response)
        else response.writeHead(500).end('{}')
      })
      for (let count = 0; count < 5; count += 1) expect((await ask('/api/trading/x')).status).toBe(500)
      expect(await circuits()).toEqual(['open'])
      expect(await ask('/api/trading/x')).toMatchObject({ status: 503, code: 'unavailable' })
      expect(asked).toBe(5)
      await until(async () => (await circuits())[0] === 'half_open')
      // The trial fails: open again after one request.
      expect((await ask('/api/trading/x')).status).toBe(500)
      expect([asked, ...(await circuits())]).toEqual([6, 'open'])
      healthy = true
      await until(async () => (await circuits())[0] === 'half_open')
      expect((await ask('/api/trading/x')).status).toBe(200)
      expect(await circuits()).toEqual(['closed'])
      expect((await ask('/api/trading/x')).status).toBe(200)
    })

    test('a success in between starts the count anew; 503 with Retry-After and 4xx are no failures', async () => {
      const statuses = [500, 500, 500, 500, 200, 500, 500, 500, 500, 503, 503, 404, 422, 503, 500, 500]
      let at = 0
      await rig.serve('trading', (_request, response) => {
        const status = statuses[at++] as number
        response.writeHead(status, status === 503 ? { 'retry-after': '1' } : {}).end()
      })
      for (const status of statuses) expect((await ask('/api/trading/x')).status).toBe(status)
      expect(await circuits()).toEqual(['closed'])
    })

    test('503 without Retry-After, time-outs and resets are failures', async () => {
      await rig.serve('trading', (_request, response) => response.writeHead(503).end())
      await rig.serve('user', () => undefined)
      await rig.serve('analytics', (request) => request.socket.destroy())
      for (let count = 0; count < 5; count += 1) {
        await ask('/api/trading/x')
        await ask('/api/analytics/x', 'POST')
      }
      await Promise.all(Array.from({ length: 5 }, () => ask('/api/user/x')))
      const states = Object.fromEntries((await rig.health()).map(({ service, circuit }) => [service, circuit]))
      for (const service of ['trading', 'user', 'analytics']) expect(['open', 'half_open']).toContain(states[service])
    })

    test('one sick instance leaves the work to the healthy one', async () => {
      await rig.serve('trading', (_request, response) => response.writeHead(500).end())
      await rig.serve('trading', echoListener)
      const statuses: number[] = []
      for (let count = 0; count < 40; count += 1) statuses.push((await ask('/api/trading/x')).status)
      expect(statuses.filter((status) => status !== 200).length).toBeLessThanOrEqual(10)
      expect(await circuits()).toContain('closed')
    })
  })

  describe('several instances', () => {
    test('share the load, and leave none idle', async () => {
      const counts = [0, 0]
      for (const index of [0, 1])
        await rig.serve('trading', (request, response) => {
          counts[index] = (counts[index] as number) + 1
          echoListener(request, response)
        })
      await Promise.all(Array.from({ length: 200 }, () => ask('/api/trading/x')))
      expect(Math.min(...counts)).toBeGreaterThan(50)
    })

    test('one that is draining gets no more; one that starts gets some only when none is ready', async () => {
      let drained = 0
      const draining = await rig.serve('trading', (request, response) => {
        drained += 1
        echoListener(request, response)
      })
      await ask('/api/trading/x')
      await rig.serve('trading', echoListener)
      await draining.withdraw()
      await until(async () => (await rig.health()).length === 1)
      drained = 0
      for (let count = 0; count < 20; count += 1) expect((await ask('/api/trading/x')).status).toBe(200)
      expect(drained).toBe(0)
    })

    test('a crash under load costs no request that could be sent elsewhere', async () => {
      // With time for answers on a busy machine: it is the crash that is to cost nothing.
      await rig[Symbol.asyncDispose]()
      rig = await openHere()
      const dying = await rig.serve('trading', echoListener)
      await rig.serve('trading', echoListener)
      const statuses = new Set<number>()
      let running = true
      const clients = Array.from({ length: 8 }, async () => {
        while (running) statuses.add((await ask('/api/trading/x')).status)
      })
      await until(() => statuses.size > 0)
      await dying.crash()
      for (let count = 0; count < 50; count += 1) await ask('/api/trading/x')
      running = false
      await Promise.all(clients)
      expect([...statuses]).toEqual([200])
    })
  })
})

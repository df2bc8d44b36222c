import { once } from 'node:events'
import { connect } from 'node:net'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { trunkPath, trunkProtocol } from '@maru/service-host'
import { ask, expectAlike, fuzzRuns, mangled } from '../../../service-host/test/support/differential.ts'
import { openRig, until, type Hosted, type Rig } from './support/rig.ts'
import { api, define, isTrunk, reached, text, trunksOf } from './support/trunk.ts'

describe('by a trunk and by HTTP', () => {
  const rigs = new Map<'yes' | 'no', Rig>()
  const services = new Map<'yes' | 'no', Hosted>()
  beforeAll(async () => {
    for (const trunks of ['yes', 'no'] as const) {
      const short = { MARU_GATEWAY_HEADERS_TIMEOUT_MS: '500', MARU_GATEWAY_REQUEST_TIMEOUT_MS: '500' }
      const rig = await openRig({ MARU_GATEWAY_TRUNKS: trunks, ...short })
      rigs.set(trunks, rig)
      services.set(trunks, await rig.host('market-data', define))
    }
    await until(() => isTrunk(services.get('yes')!))
  })
  afterAll(async () => {
    for (const rig of rigs.values()) await rig[Symbol.asyncDispose]()
  })

  function withoutVarying(answers: readonly string[]): string[] {
    return answers.map((answer) => answer.replaceAll(/^(?:ratelimit-(?:remaining|reset)|content-length): .*\n/gm, ''))
  }

  async function askBoth(chunks: readonly string[]): Promise<[string[], string[]]> {
    const [yes, no] = await Promise.all([ask(rigs.get('yes')!.url, chunks), ask(rigs.get('no')!.url, chunks)])
    return [withoutVarying(yes), withoutVarying(no)]
  }

  const last = `GET ${api}/echo HTTP/1.1\r\nHost: last\r\nConnection: close\r\n\r\n`
  const request = (method: string, target: string, headers = '') => `${method} ${api}${target} HTTP/1.1\r\nHost: maru\r\n${headers}\r\n`
  const posted = (body: string, headers = '', target = '/echo/a') =>
    request('POST', target, `Content-Type: application/json\r\n${headers}Content-Length: ${Buffer.byteLength(body)}\r\n`) +
    Buffer.from(body).toString('latin1')
  const signed = () => `Authorization: Bearer ${rigs.get('yes')!.issuer.sign()}\r\n`

  test.each<[string, () => string]>([
    ['bodies', () => posted('{"a":1}') + posted('') + posted('{"é":"\u{1f600}"}') + posted('{') + posted('[1]')],
    [
      'paths and queries',
      () =>
        request('GET', '/echo?x=1%20%C3%A9') +
        posted('{}', '', '/echo/a%2Fb') +
        request('GET', '/echo?x=1&x=2') +
        request('GET', '/echo?y=1'),
    ],
    ['headers', () => posted('{}', 'X-Many: a b\tc\r\nAccept: */*\r\nX-Empty:\r\nX-Request-Id: r1\r\n')],
    [
      'identities from outside',
      () => posted('{}', 'X-User-Id: root\r\nX-Maru-Deadline: 1\r\nForwarded: for=1\r\nX-Forwarded-For: 9.9.9.9\r\n'),
    ],
    ['no token, and one that is none', () => request('GET', '/mine') + request('GET', '/mine', 'Authorization: Bearer a.b.c\r\n')],
    ['what is not there', () => request('GET', '/nowhere') + request('PUT', '/echo') + request('DELETE', '/echo/a')],
    ['what Fastify serves alone', () => request('GET', '/fastify') + request('HEAD', '/echo') + request('OPTIONS', '/echo')],
    [
      'what is for the platform alone',
      () => request('GET', '/health/live') + request('GET', '/metrics') + request('GET', '/internal/trunk'),
    ],
    ['a refusal that says when to come again', () => request('GET', '/fault').repeat(2)],
    ['an answer in parts', () => request('GET', '/large')],
    [
      'one head again and again',
      () => posted('{"a":1}') + posted('{"a":2}').repeat(3) + posted('{"a":3}', 'X-Other: 1\r\n') + posted('{"a":4}'),
    ],
    ['no time', () => request('GET', '/echo', 'X-Request-Timeout-Ms: 0\r\n') + request('GET', '/echo', 'X-Request-Timeout-Ms: x\r\n')],
    ['the longest body, and a longer one', () => posted(`{"a":"${'x'.repeat(65_528)}"}`) + posted(`{"a":"${'x'.repeat(70_000)}"}`)],
  ])('%s: the same answers', async (_name, all) => {
    const [yes, no] = await askBoth([all() + last])
    expect(yes).toEqual(no)
    expect(yes[0]).toMatch(/^HTTP\/1\.1 \d{3} /)
  })

  test('an answer is compressed all the same', async () => {
    for (const rig of rigs.values()) {
      const answer = await fetch(`${rig.url}${api}/large`, { headers: { 'accept-encoding': 'gzip' } })
      expect(answer.headers.get('content-encoding')).toBe('gzip')
      expect(await answer.json()).toEqual({ text })
    }
  })

  test('who has a token is known', async () => {
    const { url } = rigs.get('yes')!
    const [answer, other] = await ask(url, [request('GET', '/mine', signed()) + last])
    expect(answer).toContain('"user":"u1"')
    expect(answer).toContain('cache-control: no-store')
    expect(other).not.toContain('authorization')
  })

  test('anything put into requests, cut anywhere: the same answers', async () => {
    reached.count = 0
    const requests = [posted('{"a":1}'), posted('{}', 'X-Request-Id: r1\r\nAccept: */*\r\n'), request('GET', '/echo?x=1'), posted('')]
    const property = fc.asyncProperty(mangled(requests, last), async (chunks) => {
      const [yes, no] = await askBoth(chunks)
      expectAlike(yes, no)
    })
    await fc.assert(property, { numRuns: fuzzRuns })
    expect(reached.count).toBeGreaterThan(0)
    expect(isTrunk(services.get('yes')!)).toBe(true)
    expect(isTrunk(services.get('no')!)).toBe(false)
  }, 120_000)

  test.each([trunkProtocol, 'websocket'])('nobody opens one from outside (upgrade to %s)', async (protocol) => {
    const upgrade = `Connection: Upgrade\r\nUpgrade: ${protocol}\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n`
    for (const path of [
      `${api}${trunkPath}`,
      `${api}${trunkPath}/`,
      `${api}${trunkPath}?x=1`,
      `${api}/%69nternal/trunk`,
      `${api}//internal/trunk`,
      trunkPath,
    ]) {
      const answer = await firstOf(rigs.get('yes')!.url, `GET ${path} HTTP/1.1\r\nHost: a\r\n${upgrade}\r\n`)
      expect(answer).toMatch(/^HTTP\/1\.1 404 /)
    }
    expect(trunksOf(services.get('yes')!)).toHaveLength(1)
  })
})

/** The first that comes back. */
async function firstOf(url: string, bytes: string): Promise<string> {
  const { hostname, port } = new URL(url)
  const socket = connect({ host: hostname, port: Number(port) })
  socket.write(bytes)
  const [chunk] = (await once(socket, 'data')) as [Buffer]
  socket.destroy()
  return chunk.toString('latin1')
}

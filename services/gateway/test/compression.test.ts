import { request } from 'node:http'
import { brotliDecompressSync, gunzipSync, zstdDecompressSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openRig, until, type Rig } from './support/rig.ts'

const open = { gzip: gunzipSync, br: brotliDecompressSync, zstd: zstdDecompressSync }
/** Compresses well, as lists of orders do. */
const text = (bytes: number): string =>
  JSON.stringify({ items: Array.from({ length: bytes / 20 }, (_, index) => `order ${index} of many`) })

test('none is compressed where that is switched off, and the length is as set where it is not', async () => {
  await using off = await openRig({ MARU_GATEWAY_COMPRESS_MIN_BYTES: '0' })
  await using later = await openRig({ MARU_GATEWAY_COMPRESS_MIN_BYTES: '16000000' })
  for (const { url } of [off, later]) {
    const answer = await fetch(`${url}/api/openapi.json`, { headers: { 'accept-encoding': 'gzip' } })
    expect([answer.status, answer.headers.get('content-encoding')]).toEqual([200, null])
    await answer.body?.cancel()
  }
})

test('the API document and the pages of the gateway are compressed too', async () => {
  await using rig = await openRig()
  for (const path of ['/api/openapi.json', '/docs/errors']) {
    const plain = await (await fetch(`${rig.url}${path}`, { headers: { 'accept-encoding': 'identity' } })).text()
    const answer = await fetch(`${rig.url}${path}`, { headers: { 'accept-encoding': 'br' } })
    expect([answer.status, answer.headers.get('content-encoding')]).toEqual([200, 'br'])
    expect(await answer.text()).toBe(plain)
  }
})

describe.each(['plain', 'node'] as const)('compression at a gateway whose requests are read by the parser %s', (parser) => {
  let rig: Rig
  let isSlow = false
  beforeAll(async () => {
    rig = await openRig({ MARU_HTTP_PARSER: parser })
    await rig.serve('trading', (asked, response) => {
      const url = new URL(asked.url!, 'http://x')
      const body = text(Number(url.searchParams.get('bytes')))
      const type = url.searchParams.get('type') ?? 'application/json; charset=utf-8'
      const length = body.length > 64 * 1_024 ? {} : { 'content-length': Buffer.byteLength(body) }
      response.writeHead(Number(url.searchParams.get('status') ?? 200), { 'content-type': type, etag: '"1"', ...length })
      if (isSlow) response.write(body)
      else response.end(body)
    })
  })
  afterAll(() => rig[Symbol.asyncDispose]())

  interface Got {
    coding: string | undefined
    vary: string | undefined
    etag: string | undefined
    bytes: Buffer
  }
  const ask = (bytes: number, acceptEncoding: string | undefined, more = '', method = 'GET'): Promise<Got> =>
    new Promise((resolve, reject) => {
      const headers = acceptEncoding === undefined ? {} : { 'accept-encoding': acceptEncoding }
      request(`${rig.url}/api/trading/x?bytes=${bytes}${more}`, { method, headers }, (answer) => {
        const chunks: Buffer[] = []
        answer.on('data', (chunk: Buffer) => chunks.push(chunk))
        answer.on('end', () => {
          const { 'content-encoding': coding, vary, etag } = answer.headers
          resolve({ coding, vary, etag, bytes: Buffer.concat(chunks) })
        })
      })
        .on('error', reject)
        .end()
    })

  test.each(['gzip', 'br', 'zstd'] as const)(
    '%s, of answers that are held and of those that are passed on as they come',
    async (coding) => {
      for (const bytes of [4_000, 1_000_000]) {
        const got = await ask(bytes, coding)
        expect([got.coding, got.vary, got.etag]).toEqual([coding, 'Accept-Encoding', 'W/"1"'])
        expect(open[coding](got.bytes).toString()).toBe(text(bytes))
        expect(got.bytes.length).toBeLessThan(bytes / 2)
      }
    },
  )

  test.each<[string, string | undefined, string | undefined]>([
    ['nothing', undefined, undefined],
    ['what there is not', 'deflate, compress', undefined],
    ['the best of several', 'gzip, deflate, br', 'br'],
    ['by weight', 'br;q=0.1, gzip;q=0.9', 'gzip'],
    ['none of it', 'gzip;q=0, br;q=0', undefined],
    ['anything', '*', 'zstd'],
    ['nonsense', ';;,q=x,gzip;q=y', undefined],
  ])('asked for %s (%s): %s', async (_name, accept, coding) => {
    const got = await ask(4_000, accept)
    expect(got.coding).toBe(coding)
    if (coding === undefined) expect(got.bytes.toString()).toBe(text(4_000))
  })

  test.each<[string, number, string, string]>([
    ['what is short', 400, '', 'GET'],
    ['an answer to a POST', 4_000, '', 'POST'],
    ['an event stream', 4_000, '&type=text/event-stream', 'GET'],
    ['an image', 4_000, '&type=image/png', 'GET'],
    ['an error', 4_000, '&status=404', 'GET'],
  ])('%s goes out as it is', async (_name, bytes, more, method) => {
    const got = await ask(bytes, 'gzip', more, method)
    expect([got.coding, got.etag, got.bytes.toString()]).toEqual([undefined, '"1"', text(bytes)])
  })

  test('a client that leaves while it is being sent one takes nothing along', async () => {
    isSlow = true
    const asked = request(`${rig.url}/api/trading/x?bytes=1000000`, { headers: { 'accept-encoding': 'gzip' } }).end()
    await new Promise((resolve) => asked.on('response', resolve))
    asked.on('error', () => undefined).destroy()
    isSlow = false
    // More of them than may be at work at once: a place that was not given back would leave these as they are.
    for (let round = 0; round < 20; round += 1) await until(async () => (await ask(1_000_000, 'gzip')).coding === 'gzip')
  })
})

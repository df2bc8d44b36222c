import { connect, type Socket } from 'node:net'
import { once } from 'node:events'
import { execFileSync, fork } from 'node:child_process'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { fileURLToPath } from 'node:url'
import { sendRaw } from '../../../service-host/test/support/raw.ts'
import { openRig, until, type Rig } from './support/rig.ts'

/**
 * What a hostile client sends, and what reaches the service: its bytes are recorded as they come, and it is asked exactly what it should be, framed by one
 * Content-Length or none. Whoever is refused is refused with a problem, and the gateway stays as it was.
 */

const smuggled = 'GET /api/trading/smuggled HTTP/1.1\r\nHost: x\r\n\r\n'
const post = (headers: string, body = '') => `POST /api/trading/first HTTP/1.1\r\nHost: x\r\n${headers}\r\n\r\n${body}`
const get = (headers: string) => `GET /api/trading/first HTTP/1.1\r\nHost: x\r\n${headers}\r\n\r\n`

/** What must be refused, whole: nothing of it reaches the service. */
const refused: [string, string][] = [
  ['CL.TE', post('Content-Length: 6\r\nTransfer-Encoding: chunked', `0\r\n\r\n${smuggled}`)],
  ['TE.CL', post('Transfer-Encoding: chunked\r\nContent-Length: 4', `5c\r\n${smuggled}\r\n0\r\n\r\n`)],
  ...[
    'Transfer-Encoding: xchunked',
    'Transfer-Encoding : chunked',
    'Transfer-Encoding: chunked\r\nTransfer-Encoding: x',
    'Transfer-Encoding: x\r\nTransfer-Encoding: chunked',
    'Transfer-Encoding: identity',
    'Transfer-Encoding: chunked, chunked',
    'Transfer-Encoding: gzip, chunked',
    'Transfer-Encoding: "chunked"',
    'Transfer-Encoding:\u000bchunked',
    'Transfer-Encoding: chun\0ked',
    'Transfer-Encoding\r\n : chunked',
    ' Transfer-Encoding: chunked',
    'X: y\nTransfer-Encoding: chunked',
    'X: y\rTransfer-Encoding: chunked',
  ].map((header): [string, string] => [`TE.TE ${JSON.stringify(header)}`, post(`${header}\r\nContent-Length: 5`, `0\r\n\r\n${smuggled}`)]),
  ...['+5', '-5', '0x5', '5.0', '5e0', '5, 5', '5 5', '', ' ', '٥', '99999999999999999999', '5;x', '"5"'].map(
    (length): [string, string] => [`CL ${JSON.stringify(length)}`, post(`Content-Length: ${length}`, `hello${smuggled}`)],
  ),
  ['CL twice, differing', post('Content-Length: 0\r\nContent-Length: 44', smuggled)],
  ['CL twice, equal', post('Content-Length: 5\r\nContent-Length: 5', `hello${smuggled}`)],
  ['bare LF', `GET /api/trading/first HTTP/1.1\nHost: x\n\n${smuggled}`],
  ['bare CR ends a line', `GET /api/trading/first HTTP/1.1\r\nHost: x\rX: y\r\n\r\n`],
  ['NUL in a value', get('X: a\0b')],
  ['NUL in a name', get('X\0: a')],
  ['obs-fold', get('X: a\r\n b')],
  ['space before the colon', get('X : a')],
  ['no colon', get('X')],
  ['no name', get(': a')],
  ['absolute form', 'GET http://x/api/trading/first HTTP/1.1\r\nHost: x\r\n\r\n'],
  ['authority form', 'CONNECT x:443 HTTP/1.1\r\nHost: x:443\r\n\r\n'],
  ['no Host', 'GET /api/trading/first HTTP/1.1\r\nX: y\r\n\r\n'],
  ['two Hosts', get('Host: y')],
  ['two Hosts, equal', get('Host: x')],
  ['a chunk size that is none', post('Transfer-Encoding: chunked', `-1\r\n\r\n${smuggled}`)],
  ['a chunk size with a sign', post('Transfer-Encoding: chunked', `+5\r\nhello\r\n0\r\n\r\n`)],
  ['a chunk size by 0x', post('Transfer-Encoding: chunked', `0x5\r\nhello\r\n0\r\n\r\n`)],
  ['a chunk size beyond counting', post('Transfer-Encoding: chunked', `fffffffffffffffff\r\nhello\r\n0\r\n\r\n`)],
  ['a chunk longer than it says', post('Transfer-Encoding: chunked', `1\r\nhello\r\n0\r\n\r\n`)],
  ['a chunk ended by LF', post('Transfer-Encoding: chunked', `5\r\nhello\n0\r\n\r\n`)],
  ['a trailer that frames', post('Transfer-Encoding: chunked', '5\r\nhello\r\n0\r\nContent-Length: 9\r\n\r\n')],
  ['the preface of HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
  ['HTTP/0.9', 'GET /api/trading/first\r\n\r\n'],
  ['HTTP/3.0', 'GET /api/trading/first HTTP/3.0\r\nHost: x\r\n\r\n'],
  ['TLS', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03'.padEnd(200, 'x')],
  ['a tab for a space', 'GET\t/api/trading/first HTTP/1.1\r\nHost: x\r\n\r\n'],
]

/** What is served, and what of it the service sees. */
const served: [string, string, string[]][] = [
  ['a second space before the target', 'GET  /api/trading/first HTTP/1.1\r\nHost: x\r\n\r\n', ['GET /first ']],
  ['a request within a body', post(`Content-Length: ${smuggled.length}`, smuggled), [`POST /first ${smuggled}`]],
  [
    'a request within a chunk',
    post('Transfer-Encoding: chunked', `${smuggled.length.toString(16)}\r\n${smuggled}\r\n0\r\n\r\n`),
    [`POST /first ${smuggled}`],
  ],
  ['chunk extensions and trailers', post('Transfer-Encoding: chunked', '5;x="y"\r\nhello\r\n0;y\r\nX: y\r\n\r\n'), ['POST /first hello']],
  ['a body of GET', get('Content-Length: 5') + 'hello', ['GET /first hello']],
  ['two requests in a row', get('X: 1') + get('X: 2'), ['GET /first ', 'GET /first ']],
  ['headers named by Connection', get('Connection: keep-alive, X-Hidden\r\nX-Hidden: 1'), ['GET /first ']],
  ['CRLF in the query, encoded', 'GET /api/trading/first?x=%0d%0aHost:%20y HTTP/1.1\r\nHost: x\r\n\r\n', ['GET /first?x=%0d%0aHost:%20y ']],
]

describe.each(['plain', 'node'] as const)('a gateway under abuse, whose requests are read by the parser %s', (parser) => {
  let rig: Rig
  /** What reached the service: method, target and body of each request. */
  let reached: string[] = []

  beforeAll(async () => {
    rig = await openRig({
      MARU_HTTP_PARSER: parser,
      MARU_GATEWAY_HEADERS_TIMEOUT_MS: '400',
      MARU_GATEWAY_REQUEST_TIMEOUT_MS: '600',
      MARU_RATE_LIMIT_ANONYMOUS_BURST: '100000',
      MARU_RATE_LIMIT_ADDRESS_BURST: '100000',
    })
    await rig.serveTcp('trading', record)
  })
  afterAll(() => rig[Symbol.asyncDispose]())

  /** A service that is strict: a head it does not take for one, or bytes beyond a body, are recorded as they are and will equal nothing. */
  function record(socket: Socket): void {
    let text = ''
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1')
      for (;;) {
        const end = text.indexOf('\r\n\r\n')
        if (end < 0) return
        const head = text.slice(0, end)
        const lengths = [...head.matchAll(/^content-length: (\d+)$/gm)].map((found) => Number(found[1]))
        const length = lengths[0] ?? 0
        if (text.length < end + 4 + length) return
        const [, method, target] = /^([A-Z]+) (\S+) HTTP\/1\.1\r\n/.exec(head) ?? []
        const isClear = lengths.length <= 1 && !/transfer-encoding|x-hidden|\n[ \t]|[^\r]\n|\r[^\n]/i.test(head)
        reached.push(isClear ? `${method} ${target} ${text.slice(end + 4, end + 4 + length)}` : `unclear: ${head}`)
        text = text.slice(end + 4 + length)
        socket.write('HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 2\r\n\r\nok')
      }
    })
  }
  const last = 'GET /nowhere HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n'

  test.each(refused)('%s is refused, and reaches nobody', async (_name, bytes) => {
    reached = []
    const answer = await sendRaw(rig.url, Buffer.from(bytes, 'latin1'), '"request_id"')
    expect([answer.status >= 400 && answer.status < 500, answer.head.includes('application/problem+json')], answer.head).toEqual([
      true,
      true,
    ])
    // The next one on the same service connection is asked nothing but its own.
    expect((await fetch(`${rig.url}/api/trading/next`)).status).toBe(200)
    expect(reached).toEqual(['GET /next '])
  })

  test.each(served)('%s is served, once, and framed anew', async (_name, bytes, expected) => {
    reached = []
    await sendRaw(rig.url, Buffer.from(bytes + last, 'latin1'))
    expect(reached).toEqual(expected)
  })

  const open = (): { socket: Socket; ended: Promise<unknown>; closed: Promise<unknown>; text: () => string } => {
    const socket = connect({ port: Number(new URL(rig.url).port), host: '127.0.0.1', allowHalfOpen: true })
    let text = ''
    socket.on('data', (chunk) => (text += chunk.toString('latin1'))).on('error', () => undefined)
    const ended = Promise.race([once(socket, 'end'), once(socket, 'close')]).catch(() => undefined)
    return { socket, ended, closed: new Promise((resolve) => socket.once('close', resolve)), text: () => text }
  }

  test('heads without end, bodies without end, and silence are cut off; who asks the while is served', async () => {
    reached = []
    // Node's parser lets a connection that says nothing be until it has been idle for long.
    const silent = parser === 'plain' ? [''] : []
    const starts = [
      ...silent,
      'GET /api/trading/x HTTP/1.1\r\nHost: x\r\nX: ',
      'POST /api/trading/x HTTP/1.1\r\nHost: x\r\nContent-Length: 60000\r\n\r\n',
    ]
    const slow = starts.flatMap((start) => Array.from({ length: 50 }, () => ({ start, ...open() })))
    for (const { socket, start } of slow) socket.write(start)
    const drip = setInterval(() => slow.forEach(({ socket, start }) => start !== '' && socket.writable && socket.write('x')), 100)
    for (let round = 0; round < 20; round += 1) expect((await fetch(`${rig.url}/api/trading/next`)).status).toBe(200)
    await Promise.all(slow.map(({ ended }) => ended))
    clearInterval(drip)
    for (const { socket, start, text } of slow) {
      if (start !== '') expect(text()).toMatch(/^HTTP\/1\.1 408 /)
      socket.destroy()
    }
    await Promise.all(slow.map(({ closed }) => closed))
    expect(reached).toEqual(Array<string>(20).fill('GET /next '))
  })

  test('a client that ends its side after the request leaves nothing; the short path answers it, Node ends', async () => {
    const client = open()
    client.socket.end('GET /api/trading/first HTTP/1.1\r\nHost: x\r\n\r\n')
    await client.ended
    if (parser === 'plain') expect(client.text()).toMatch(/^HTTP\/1\.1 200 OK[^]*ok$/)
    client.socket.destroy()
    await client.closed
  })

  test.each([
    ['one header beyond all bounds', `X: ${'x'.repeat(100_000)}\r\n`],
    ['thousands of headers', Array.from({ length: 5_000 }, (_, at) => `X${at}: y\r\n`).join('')],
    ['a name beyond all bounds', `${'x'.repeat(100_000)}: y\r\n`],
  ])('%s is 431', async (_name, headers) => {
    reached = []
    expect((await sendRaw(rig.url, `GET /api/trading/first HTTP/1.1\r\nHost: x\r\n${headers}\r\n`, '"request_id"')).status).toBe(431)
    expect(reached).toEqual([])
  })

  test('after all that nothing is left: no connection, no handle, no request in flight', async () => {
    await (await fetch(`${rig.url}/health/live`)).text()
    const sockets = () => process.getActiveResourcesInfo().filter((name) => name === 'TCPSocketWrap').length
    // Those of this process as a client, and of the gateway to the service, are kept alive; there are few.
    await until(() => sockets() < 40)
    const before = sockets()
    for (let round = 0; round < 200; round += 1)
      await sendRaw(rig.url, Buffer.from(refused[round % refused.length]![1], 'latin1'), '"request_id"')
    await until(() => sockets() <= before + 4)
    expect((await fetch(`${rig.url}/api/trading/next`)).status).toBe(200)
  })
})

const filesMax = Number(execFileSync('sh', ['-c', 'ulimit -n'], { encoding: 'utf8' }).trim())
/** A process of its own has the other ends. */
const idleSockets = 10_000
const hasFiles = Number.isNaN(filesMax) || filesMax > idleSockets + 1_000

test.skipIf(!hasFiles)(
  `${idleSockets} idle sockets, and requests beside them (files a process may have: ${filesMax})`,
  async () => {
    await using rig = await openRig({ MARU_RATE_LIMIT_ANONYMOUS_BURST: '100000' })
    await rig.serve('trading', (_request, response) => void response.end('ok'))
    const holder = fork(fileURLToPath(new URL('processes/idle-sockets.ts', import.meta.url)), [new URL(rig.url).port, String(idleSockets)])
    const ended = once(holder, 'exit')
    const [said] = (await Promise.race([once(holder, 'message'), ended])) as [unknown]
    expect(said).toBe('connected')
    const sockets = () => process.getActiveResourcesInfo().filter((name) => name === 'TCPSocketWrap').length
    await until(() => sockets() >= idleSockets)
    for (let round = 0; round < 10; round += 1) expect((await fetch(`${rig.url}/api/trading/next`)).status).toBe(200)
    holder.kill('SIGKILL')
    await ended
    await until(() => sockets() < 100)
    expect((await fetch(`${rig.url}/api/trading/next`)).status).toBe(200)
  },
  60_000,
)

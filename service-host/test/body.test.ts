import { once } from 'node:events'
import { createServer, type IncomingMessage } from 'node:http'
import { connect, type AddressInfo } from 'node:net'
import { expect, test } from 'vitest'
import { readBody } from '../body.ts'

/** Reads the body of one request with a bound of 8 bytes, sent as `parts`, each after the one before has been taken. */
async function read(head: string, parts: readonly string[], end = false): Promise<string> {
  const server = createServer()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const client = connect((server.address() as AddressInfo).port, '127.0.0.1')
  client.on('error', () => undefined)
  try {
    client.write(`POST / HTTP/1.1\r\nHost: a\r\n${head}\r\n\r\n`)
    const [request] = (await once(server, 'request')) as [IncomingMessage]
    const body = readBody(request, 8).then(String, (error: { code: string }) => error.code)
    for (const part of parts) {
      client.write(part)
      await once(request, 'data')
    }
    if (end) client.destroy()
    return await body
  } finally {
    client.destroy()
    server.close()
  }
}

test.each([
  ['in one chunk', 'Content-Length: 8', ['12345678'], '12345678'],
  ['in three chunks', 'Content-Length: 8', ['123', '45', '678'], '12345678'],
  ['of two requests, one behind the other', 'Content-Length: 4', ['1234GET / HTTP/1.1\r\nHost: a\r\n\r\n'], '1234'],
  ['without a length', 'Transfer-Encoding: chunked', ['3\r\n123\r\n', '2\r\n45\r\n0\r\n\r\n'], '12345'],
  ['beyond the bound by its length', 'Content-Length: 9', ['123456789'], 'payload_too_large'],
  ['beyond the bound without a length', 'Transfer-Encoding: chunked', ['9\r\n123456789\r\n0\r\n\r\n'], 'payload_too_large'],
  ['of no bytes', 'Content-Length: 0', [], ''],
])('a body %s', async (_title, head, parts, expected) => {
  expect(await read(head, parts)).toBe(expected)
})

test.each([
  ['with a length', 'Content-Length: 8', '123'],
  ['without a length', 'Transfer-Encoding: chunked', '3\r\n123\r\n'],
])('a body %s that breaks off', async (_title, head, part) => {
  expect(await read(head, [part], true)).toBe('invalid_request')
})

import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { askJson } from '../ask-json.ts'

async function serve(answer: RequestListener): Promise<string> {
  const server = createServer(answer)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
}

test('an answer is read as JSON, in however many pieces it comes', async () => {
  const url = await serve((_, response) => {
    response.write('{"name":"')
    response.end('원"}')
  })
  expect(await askJson(url, 5_000)).toEqual({ name: '원' })
})

test('any status but 200 is no answer', async () => {
  const url = await serve((_, response) => response.writeHead(404).end('{}'))
  expect(await askJson(url, 5_000)).toBeUndefined()
})

test.each<[string, RequestListener, RegExp]>([
  ['is no JSON', (_, response) => response.end('{"name":'), /JSON/u],
  ['is cut off', (_, response) => response.writeHead(200, { 'content-length': '100' }).write('{', () => response.destroy()), /aborted/u],
  ['does not come', () => undefined, /aborted/u],
  ['is too long', (_, response) => response.end(Buffer.alloc(16 * 2 ** 20 + 1, 0x20)), /too long/u],
])('rejects where the answer %s', async (_, answer, why) => {
  await expect(askJson(await serve(answer), 500)).rejects.toThrow(why)
})

test('rejects where nobody listens', async () => {
  await expect(askJson('http://127.0.0.1:9/', 5_000)).rejects.toThrow(/ECONNREFUSED/u)
})

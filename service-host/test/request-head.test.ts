import { expect, test } from 'vitest'
import { headMaxBytes, readRequestHead } from '../plain-http/request-head.ts'

const read = (text: string) => readRequestHead(Buffer.from(text, 'latin1'))
const line = 'POST /orders?x=1 HTTP/1.1\r\n'
const host = 'Host: maru\r\n'

test('a plain head: names in lower case, values without the space around them, what follows left alone', () => {
  const text = `${line}HOST: maru\r\nContent-Length:2\r\nX-Custom:\t a b \t\r\nEmpty:\r\nConnection: Keep-Alive\r\n\r\n{}GET /next`
  expect(read(text)).toEqual({
    method: 'POST',
    target: '/orders?x=1',
    names: ['host', 'content-length', 'x-custom', 'empty', 'connection'],
    values: ['maru', '2', 'a b', '', 'Keep-Alive'],
    contentLength: 2,
    hasContentLength: true,
    bytes: text.indexOf('{}'),
  })
  expect(read(`GET / HTTP/1.1\r\n${host}\r\n`)).toMatchObject({ contentLength: 0, hasContentLength: false })
})

test.each<[string, string]>([
  ['not whole', `${line}${host}`],
  ['bare LF', `POST / HTTP/1.1\n${host}\r\n`],
  ['bare LF in a header', `${line}${host}A: b\nC: d\r\n\r\n`],
  ['bare CR in a header', `${line}${host}A: b\rC: d\r\n\r\n`],
  ['NUL in a value', `${line}${host}A: b\0c\r\n\r\n`],
  ['a byte over 0x7f in a value', `${line}${host}A: \u00e9\r\n\r\n`],
  ['a folded header', `${line}${host}A: b\r\n c\r\n\r\n`],
  ['space before the colon', `${line}${host}A : b\r\n\r\n`],
  ['no colon', `${line}${host}A\r\n\r\n`],
  ['an empty name', `${line}${host}: b\r\n\r\n`],
  ['another version', `GET / HTTP/1.0\r\n${host}\r\n`],
  ['no version', `GET /\r\n${host}\r\n`],
  ['two spaces', `GET  / HTTP/1.1\r\n${host}\r\n`],
  ['space in the target', `GET /a b HTTP/1.1\r\n${host}\r\n`],
  ['absolute form', `GET http://maru/ HTTP/1.1\r\n${host}\r\n`],
  ['asterisk form', `OPTIONS * HTTP/1.1\r\n${host}\r\n`],
  ['a fragment', `GET /a#b HTTP/1.1\r\n${host}\r\n`],
  ['a backslash', `GET /a\\b HTTP/1.1\r\n${host}\r\n`],
  ['CONNECT', `CONNECT maru:80 HTTP/1.1\r\n${host}\r\n`],
  ['HEAD', `HEAD / HTTP/1.1\r\n${host}\r\n`],
  ['a method in small letters', `get / HTTP/1.1\r\n${host}\r\n`],
  ['an empty line before the request', `\r\nGET / HTTP/1.1\r\n${host}\r\n`],
  ['no Host', 'GET / HTTP/1.1\r\nA: b\r\n\r\n'],
  ['two Hosts', `GET / HTTP/1.1\r\n${host}${host}\r\n`],
  ['a header twice', `GET / HTTP/1.1\r\n${host}A: b\r\na: c\r\n\r\n`],
  ['two Content-Lengths', `${line}${host}Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}`],
  ['Content-Length with a sign', `${line}${host}Content-Length: +2\r\n\r\n{}`],
  ['Content-Length in hex', `${line}${host}Content-Length: 0x2\r\n\r\n{}`],
  ['Content-Length as a list', `${line}${host}Content-Length: 2, 2\r\n\r\n{}`],
  ['an empty Content-Length', `${line}${host}Content-Length:\r\n\r\n{}`],
  ['Content-Length with leading zeros', `${line}${host}Content-Length: 02\r\n\r\n{}`],
  ['Content-Length beyond all measure', `${line}${host}Content-Length: 99999999999\r\n\r\n{}`],
  ['Transfer-Encoding', `${line}${host}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n`],
  ['Transfer-Encoding with Content-Length', `${line}${host}Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}`],
  ['Expect', `${line}${host}Expect: 100-continue\r\n\r\n`],
  ['Upgrade', `GET / HTTP/1.1\r\n${host}Upgrade: websocket\r\n\r\n`],
  ['Connection: close', `GET / HTTP/1.1\r\n${host}Connection: close\r\n\r\n`],
  ['Connection that names a header', `GET / HTTP/1.1\r\n${host}Connection: keep-alive, x-user\r\n\r\n`],
  ['TE', `GET / HTTP/1.1\r\n${host}TE: trailers\r\n\r\n`],
  ['Trailer', `GET / HTTP/1.1\r\n${host}Trailer: a\r\n\r\n`],
  ['Proxy-Authorization', `GET / HTTP/1.1\r\n${host}Proxy-Authorization: a\r\n\r\n`],
  ['more headers than are looked at', `GET / HTTP/1.1\r\n${host}${Array.from({ length: 60 }, (_, at) => `A${at}: b\r\n`).join('')}\r\n`],
  ['a head beyond the bound', `GET / HTTP/1.1\r\n${host}A: ${'b'.repeat(headMaxBytes)}\r\n\r\n`],
])('%s is left to the parser of Node', (_name, text) => expect(read(text)).toBeUndefined())

import { connect } from 'node:net'
import { isDeepStrictEqual } from 'node:util'
import fc from 'fast-check'
import { expect } from 'vitest'

/** What came back, answer after answer, without what may differ: dates, and ids that were made up. Ends when the server closes the connection. */
export function ask(url: string, chunks: readonly string[]): Promise<string[]> {
  const { hostname, port } = new URL(url)
  return new Promise((resolve) => {
    const socket = connect({ host: hostname, port: Number(port), noDelay: true })
    let text = ''
    socket.on('data', (data) => (text += data.toString('latin1')))
    socket.on('error', () => undefined)
    socket.on('close', () => resolve(answersIn(text)))
    void (async () => {
      for (const chunk of chunks) {
        await new Promise<void>((sent) => socket.write(Buffer.from(chunk, 'latin1'), () => sent()))
        // A turn of the loop, so that it travels by itself.
        await new Promise((resolve) => setImmediate(resolve))
      }
    })()
  })
}

function answersIn(text: string): string[] {
  return text
    .replaceAll(/^date: .*\r\n/gim, '')
    .replaceAll(/(x-maru-deadline\\*":\\*")\d+/g, '$1TIME')
    .replaceAll(/[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}/g, 'ID')
    .split(/(?=HTTP\/1\.1 \d{3} )/)
    .map((answer) => {
      const [head = '', ...rest] = answer.split('\r\n\r\n')
      const [line, ...headers] = head.split('\r\n')
      return [line, ...headers.map((header) => header.toLowerCase()).sort(), '', ...rest].join('\n')
    })
}

/**
 * Node's parser ends a connection in two cases where the short path need not: after a body that is no JSON, and at bytes that are no HTTP while answers to requests before
 * them are still to come, which are lost then. Where both come together, at either parser, the last answer may be about the one or the other.
 */
export function expectAlike(plain: readonly string[], node: readonly string[]): void {
  const withoutConnection = (answers: readonly string[]) =>
    answers.map((answer) => answer.replaceAll(/^(?:connection|keep-alive): .*\n/gm, ''))
  const [longer, shorter] = [withoutConnection(plain), withoutConnection(node)].sort((a, b) => b.length - a.length) as [string[], string[]]
  const count = shorter.length
  const lasts = [longer.at(-1) ?? '', shorter.at(-1) ?? '']
  const isAboutEither =
    longer.length === count &&
    lasts.every((last) => last.startsWith('HTTP/1.1 400 ')) &&
    ['"invalid_json"', '"invalid_request"'].every((code) => lasts.some((last) => last.includes(code)))
  if (isAboutEither) {
    expect(longer.slice(0, -1)).toEqual(shorter.slice(0, -1))
    return
  }
  const isCutOff = longer.length > count && (shorter.at(-1) ?? '').startsWith('HTTP/1.1 400 ')
  if (!isCutOff) expect(withoutConnection(plain)).toEqual(withoutConnection(node))
  else if (!isDeepStrictEqual(longer.slice(0, count), shorter)) expect([...longer.slice(0, count - 1), longer.at(-1)]).toEqual(shorter)
}

/** What parsers have been known to read in two ways. */
const pieces = [
  '\r\n',
  '\n',
  '\r',
  ' ',
  '\t',
  ':',
  '\0',
  '\x7f',
  '\u00ff',
  '0',
  '-1',
  ',',
  ';',
  '#',
  '%',
  '/',
  '..',
  'chunked',
  'close',
  'HTTP/1.1',
  'Content-Length: 3\r\n',
  'Transfer-Encoding: chunked\r\n',
  'Transfer-Encoding : chunked\r\n',
  'Host: b\r\n',
  'Connection: x-a\r\n',
  'Expect: 100-continue\r\n',
  'X-A: b\r\n c\r\n',
  '0\r\n\r\n',
  '{}',
] as const

const place = fc.double({ min: 0, max: 1, noNaN: true })
const edit = fc.record({ at: place, take: fc.nat(4), put: fc.constantFrom(...pieces) })

/** Chunks of bytes that hold up to three of `requests` with anything put into them, then `last`, cut anywhere. */
export function mangled(requests: readonly string[], last: string): fc.Arbitrary<string[]> {
  const request = fc.record({ text: fc.constantFrom(...requests), edits: fc.array(edit, { maxLength: 3 }) }).map(({ text, edits }) =>
    edits.reduce((all, { at, take, put }) => {
      const from = Math.floor(at * all.length)
      return all.slice(0, from) + put + all.slice(from + take)
    }, text),
  )
  return fc.tuple(fc.array(request, { minLength: 1, maxLength: 3 }), fc.array(place, { maxLength: 2 })).map(([several, cuts]) => {
    const text = several.join('') + last
    const places = [0, ...cuts.map((at) => Math.floor(at * text.length)).sort((a, b) => a - b), text.length]
    const chunks = places.slice(1).map((to, index) => text.slice(places[index], to))
    return chunks.filter((chunk) => chunk !== '')
  })
}

export const fuzzRuns = Number(process.env['MARU_FUZZ_RUNS'] ?? 300)

import { promisify } from 'node:util'
import { brotliCompress, constants, createBrotliCompress, createGzip, createZstdCompress, gzip, zstdCompress } from 'node:zlib'
import type { Transform } from 'node:stream'
import type { EdgeAnswer } from './exchange.ts'
import type { HeaderText } from './header-text.ts'

/** Answers being compressed at once, on the threads of libuv; beyond it they go out as they are. */
const atOnceMax = 8

/** What has come is passed on, in streams too, before the next comes. */
const gzipped = { level: 2, flush: constants.Z_SYNC_FLUSH }
const brotli = { params: { [constants.BROTLI_PARAM_QUALITY]: 3 }, flush: constants.BROTLI_OPERATION_FLUSH }
const zstd = { params: { [constants.ZSTD_c_compressionLevel]: 1 }, flush: constants.ZSTD_e_flush }

interface Coding {
  whole(body: Buffer): Promise<Buffer>
  stream(): Transform
}

const [gzipWhole, brotliWhole, zstdWhole] = [promisify(gzip), promisify(brotliCompress), promisify(zstdCompress)]

/** In the order in which they are chosen, at levels that cost little. */
const codings = new Map<string, Coding>([
  ['zstd', { whole: (body) => zstdWhole(body, zstd), stream: () => createZstdCompress(zstd) }],
  ['br', { whole: (body) => brotliWhole(body, brotli), stream: () => createBrotliCompress(brotli) }],
  ['gzip', { whole: (body) => gzipWhole(body, gzipped), stream: () => createGzip(gzipped) }],
])

let atWork = 0

/**
 * The answer to a GET, compressed where that is worth it.
 *
 * Against BREACH: to guess a secret from the length of an answer, another site must make a browser ask with the rights of its user. Rights travel in headers that no
 * other site can set, never in cookies; and what holds a secret (tokens, new keys) answers a POST, which is never compressed.
 *
 * @param coding what `codingFor` gave; the same answer where it is undefined
 * @param minBytes shorter answers are not worth the work; 0: none is compressed
 */
export function compressing(answer: EdgeAnswer, coding: string | undefined, minBytes: number): EdgeAnswer {
  return coding === undefined || minBytes === 0 ? answer : new CompressedAnswer(answer, coding, minBytes)
}

/** The coding that a client likes best, among equals the first of ours (RFC 9110, 12.5.3); undefined where it takes none of them. */
export function codingFor(acceptEncoding: string | undefined): string | undefined {
  if (acceptEncoding === undefined) return undefined
  const weights = new Map<string, number>()
  for (const part of acceptEncoding.slice(0, 512).split(',')) {
    const [name = '', ...parameters] = part.split(';').map((text) => text.trim().toLowerCase())
    const weight = parameters.find((text) => text.startsWith('q='))
    weights.set(name, weight === undefined ? 1 : Number(weight.slice(2)))
  }
  let best: string | undefined
  let bestWeight = 0
  for (const name of codings.keys()) {
    const weight = weights.get(name) ?? weights.get('*') ?? 0
    if (weight > bestWeight) [best, bestWeight] = [name, weight]
  }
  return best
}

const compressible = /^content-type: *(?:application\/(?:[a-z.+-]*\+)?json|text\/(?!event-stream))/im
const notToBeTouched = /^(?:content-encoding|content-range):|^cache-control:.*no-transform/im
const strongTag = /^(etag: *)(?=")/im

/** Whether an answer is text that is known, whole and not coded already. */
function isCompressible(status: number, headers: HeaderText): boolean {
  return status === 200 && compressible.test(headers) && !notToBeTouched.test(headers)
}

/** Other bytes are another representation; only a weak tag may stand for both. */
function coded(headers: HeaderText, name: string): HeaderText {
  return `${headers.replace(strongTag, '$1W/')}content-encoding: ${name}\r\n`
}

class CompressedAnswer implements EdgeAnswer {
  readonly #answer: EdgeAnswer
  readonly #name: string
  readonly #minBytes: number
  #isWorking = false
  #stream: Transform | undefined

  constructor(answer: EdgeAnswer, name: string, minBytes: number) {
    this.#answer = answer
    this.#name = name
    this.#minBytes = minBytes
  }

  get isOver(): boolean {
    return this.#isWorking || this.#answer.isOver
  }

  whole(status: number, headers: HeaderText, body: string | Buffer, headLength?: number): void {
    const answer = this.#answer
    if (!isCompressible(status, headers)) {
      answer.whole(status, headers, body, headLength)
      return
    }
    if (body.length < this.#minBytes || atWork >= atOnceMax) {
      answer.whole(status, headers, body, headLength)
      return
    }
    // A copy: the buffer is only lent until this returns.
    const bytes = Buffer.from(body as Buffer)
    this.#isWorking = true
    atWork += 1
    void codings
      .get(this.#name)!
      .whole(bytes)
      .then(
        (compressed) => this.#give(status, coded(headers, this.#name), compressed),
        // It cannot be too large for them, but what they cannot do is no reason to keep an answer back.
        () => this.#give(status, headers, bytes),
      )
      .finally(() => (atWork -= 1))
  }

  /** Nobody may be there any more. */
  #give(status: number, headers: HeaderText, body: Buffer): void {
    if (!this.#answer.isOver) this.#answer.whole(status, headers, body)
  }

  begin(status: number, headers: HeaderText, contentLength: number | undefined): void {
    const answer = this.#answer
    if (!isCompressible(status, headers) || atWork >= atOnceMax) {
      answer.begin(status, headers, contentLength)
      return
    }
    atWork += 1
    const stream = codings.get(this.#name)!.stream()
    this.#stream = stream
    stream.once('close', () => (atWork -= 1))
    stream.on('data', (chunk: Buffer) => {
      if (answer.write(chunk)) return
      stream.pause()
      answer.onceDrained(() => stream.resume())
    })
    stream.on('end', () => answer.end())
    stream.on('error', () => answer.destroy())
    answer.begin(status, coded(headers, this.#name), undefined)
  }

  write(chunk: Buffer): boolean {
    return this.#stream ? this.#stream.write(chunk) : this.#answer.write(chunk)
  }

  onceDrained(callback: () => void): void {
    if (this.#stream) this.#stream.once('drain', callback)
    else this.#answer.onceDrained(callback)
  }

  end(): void {
    if (this.#stream) this.#stream.end()
    else this.#answer.end()
  }

  destroy(): void {
    this.#stream?.destroy()
    this.#answer.destroy()
  }

  onClose(callback: () => void): void {
    this.#answer.onClose(() => {
      this.#stream?.destroy()
      callback()
    })
  }
}

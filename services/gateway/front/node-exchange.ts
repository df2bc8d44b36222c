import type { IncomingMessage, ServerResponse } from 'node:http'
import { readBody } from '@maru/service-host'
import type { EdgeAnswer, EdgeRequest } from './exchange.ts'
import { headerList, type HeaderText } from './header-text.ts'

/** A request that Node's parser read. */
export class NodeRequest implements EdgeRequest {
  readonly method: string
  readonly target: string
  readonly names: readonly string[]
  readonly values: readonly string[]
  readonly remoteAddress: string
  readonly sameHead = undefined
  readonly #incoming: IncomingMessage

  constructor(incoming: IncomingMessage) {
    const { rawHeaders } = incoming
    this.method = incoming.method ?? 'GET'
    this.target = incoming.url ?? ''
    this.names = rawHeaders.filter((_, index) => index % 2 === 0).map((name) => name.toLowerCase())
    this.values = rawHeaders.filter((_, index) => index % 2 === 1)
    this.remoteAddress = incoming.socket.remoteAddress ?? ''
    this.#incoming = incoming
  }

  get isComplete(): boolean {
    return this.#incoming.complete
  }

  body(maxBytes: number): null | Promise<Buffer> {
    const { headers } = this.#incoming
    const isAnnounced = headers['content-length'] !== undefined || headers['transfer-encoding'] !== undefined
    return isAnnounced ? readBody(this.#incoming, maxBytes) : null
  }
}

export class NodeAnswer implements EdgeAnswer {
  onHead: ((status: number) => void) | undefined
  readonly #response: ServerResponse
  readonly #isHead: boolean

  constructor(response: ServerResponse, isHead: boolean) {
    this.#response = response
    this.#isHead = isHead
  }

  get isOver(): boolean {
    return this.#response.headersSent || this.#response.destroyed
  }

  whole(status: number, headers: HeaderText, body: string | Buffer, headLength = Buffer.byteLength(body)): void {
    if (this.isOver) {
      this.#response.destroy()
      return
    }
    this.onHead?.(status)
    const hasLength = status !== 204 && status !== 304
    this.#response.writeHead(status, framed(headers, hasLength ? headLength : undefined))
    if (this.#isHead) this.#response.end()
    // As text of one byte a character, head and body leave in one write; a buffer would take the dearer writev.
    else if (typeof body === 'string') this.#response.end(body)
    else this.#response.end(body.toString('latin1'), 'latin1')
  }

  begin(status: number, headers: HeaderText, contentLength: number | undefined): void {
    this.onHead?.(status)
    this.#response.writeHead(status, framed(headers, contentLength))
    this.#response.flushHeaders()
  }

  write(chunk: Buffer): boolean {
    return this.#response.write(chunk)
  }

  onceDrained(callback: () => void): void {
    this.#response.once('drain', callback)
  }

  end(): void {
    this.#response.end()
  }

  destroy(): void {
    this.#response.destroy()
  }

  onClose(callback: () => void): void {
    this.#response.once('close', callback)
  }
}

function framed(headers: HeaderText, contentLength: number | undefined): string[] {
  const list = headerList(headers)
  if (contentLength !== undefined) list.push('content-length', String(contentLength))
  return list
}

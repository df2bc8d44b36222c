import type { PlainConnection, PlainRequest } from '@maru/service-host'
import type { EdgeAnswer, EdgeRequest } from './exchange.ts'
import type { HeaderText } from './header-text.ts'

/** A request that the short parser read, with its body. */
export class PlainEdgeRequest implements EdgeRequest {
  readonly isComplete = true
  readonly #request: PlainRequest

  constructor(request: PlainRequest) {
    this.#request = request
  }

  get method(): string {
    return this.#request.method
  }

  get target(): string {
    return this.#request.target
  }

  get names(): readonly string[] {
    return this.#request.names
  }

  get values(): readonly string[] {
    return this.#request.values
  }

  get remoteAddress(): string {
    return this.#request.remoteAddress
  }

  get sameHead(): object | undefined {
    return this.#request.sameHead
  }

  /** The short path takes no longer body than the edge does. */
  body(): Buffer | null {
    return this.#request.hasContentLength ? this.#request.body : null
  }
}

export class PlainAnswer implements EdgeAnswer {
  readonly #connection: PlainConnection
  onHead: ((status: number) => void) | undefined
  #hasBegun = false

  constructor(connection: PlainConnection) {
    this.#connection = connection
  }

  get isOver(): boolean {
    return this.#hasBegun || this.#connection.isGone
  }

  whole(status: number, headers: HeaderText, body: string | Buffer): void {
    if (this.#hasBegun) {
      this.destroy()
      return
    }
    this.#hasBegun = true
    this.onHead?.(status)
    if (status === 204 || status === 304) this.#connection.answerEmpty(status, headers)
    else this.#connection.answer(status, headers, body)
  }

  begin(status: number, headers: HeaderText, contentLength: number | undefined): void {
    this.#hasBegun = true
    this.onHead?.(status)
    this.#connection.begin(status, headers, contentLength)
  }

  write(chunk: Buffer): boolean {
    return this.#connection.send(chunk)
  }

  onceDrained(callback: () => void): void {
    this.#connection.onceDrained(callback)
  }

  end(): void {
    this.#connection.finish()
  }

  destroy(): void {
    this.#connection.destroy()
  }

  onClose(callback: () => void): void {
    this.#connection.onDone = callback
  }
}

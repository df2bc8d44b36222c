import type { HeaderText } from './header-text.ts'

/** A request as it stands at the edge, whichever parser read it. */
export interface EdgeRequest {
  readonly method: string
  readonly target: string
  /** Names of headers in lower case, in the order in which they came; `values` are theirs. */
  readonly names: readonly string[]
  readonly values: readonly string[]
  readonly remoteAddress: string
  /** As `PlainRequest.sameHead`. */
  readonly sameHead: object | undefined
  /** Whether all of it has been read. */
  readonly isComplete: boolean
  /** Null where none is announced. Throws Problem `payload_too_large`, or `invalid_request` where it breaks off. */
  body(maxBytes: number): Buffer | null | Promise<Buffer>
}

/** The client's side of a request, to be answered once: by `whole`, or by `begin`, `write` and `end`. Headers are without those that frame a body. */
export interface EdgeAnswer {
  /** Told the status as the head of the answer leaves, for measuring. */
  onHead?: ((status: number) => void) | undefined
  /** Whether an answer has begun, or nobody is there to have one. */
  readonly isOver: boolean
  /** `headLength`: what an answer without a body says of its length (HEAD). */
  whole(status: number, headers: HeaderText, body: string | Buffer, headLength?: number): void
  /** `contentLength` is undefined where the body ends by itself. */
  begin(status: number, headers: HeaderText, contentLength: number | undefined): void
  /** False where the client does not take it as fast: `onceDrained` tells when it has. */
  write(chunk: Buffer): boolean
  onceDrained(callback: () => void): void
  end(): void
  /** Breaks off: the client sees that its answer is not whole. */
  destroy(): void
  /** Called once the client has its answer or has gone. */
  onClose(callback: () => void): void
}

/** The value of a header, by its name in lower case; the first where there are several. */
export function headerOf({ names, values }: Pick<EdgeRequest, 'names' | 'values'>, name: string): string | undefined {
  const at = names.indexOf(name)
  return at < 0 ? undefined : values[at]
}

import type { FastifyBaseLogger } from 'fastify'

type Bindings = Parameters<FastifyBaseLogger['child']>[0]
type ChildOptions = Parameters<FastifyBaseLogger['child']>[1]
type Line = [object, ...string[]]

/** The logger of one request, with its id. A child logger is made when something is logged, which for most requests is never. */
export class RequestLogger {
  readonly #parent: FastifyBaseLogger
  readonly #bindings: Bindings
  readonly #options: ChildOptions
  #own: FastifyBaseLogger | undefined

  constructor(parent: FastifyBaseLogger, bindings: Bindings, options?: ChildOptions) {
    this.#parent = parent
    this.#bindings = bindings
    this.#options = options
  }

  get #logger(): FastifyBaseLogger {
    return (this.#own ??= this.#parent.child(this.#bindings, this.#options))
  }

  get level(): string {
    return this.#logger.level
  }

  set level(level: string) {
    this.#logger.level = level
  }

  child(bindings: Bindings, options?: ChildOptions): FastifyBaseLogger {
    return this.#logger.child(bindings, options)
  }

  fatal(...line: unknown[]): void {
    this.#logger.fatal(...(line as Line))
  }

  error(...line: unknown[]): void {
    this.#logger.error(...(line as Line))
  }

  warn(...line: unknown[]): void {
    this.#logger.warn(...(line as Line))
  }

  info(...line: unknown[]): void {
    this.#logger.info(...(line as Line))
  }

  debug(...line: unknown[]): void {
    this.#logger.debug(...(line as Line))
  }

  trace(...line: unknown[]): void {
    this.#logger.trace(...(line as Line))
  }

  silent(...line: unknown[]): void {
    this.#logger.silent(...(line as Line))
  }
}

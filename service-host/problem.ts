import { errorCatalogue, type ErrorCode, type ProblemBody } from '@maru/contracts'

interface ProblemExtras {
  errors?: { path: string; message: string }[]
  retryAfterSeconds?: number
  /** Further members of the answer, such as `order_id`. */
  extensions?: Record<string, unknown>
}

/** A refusal that travels to the client as RFC 9457 problem details. Thrown by handlers; never logged as a fault. */
export class Problem extends Error {
  override name = 'Problem'
  readonly code: ErrorCode
  readonly extras: ProblemExtras

  /** `detail` says what is wrong in this case and what to do; by default the meaning of the code. */
  constructor(code: ErrorCode, detail?: string, extras: ProblemExtras = {}) {
    super(detail ?? errorCatalogue[code].meaning)
    this.code = code
    this.extras = extras
  }

  get status(): number {
    return errorCatalogue[this.code].status
  }

  headers(): Record<string, string> {
    const { status } = this
    const seconds = this.extras.retryAfterSeconds ?? (status === 429 || status === 503 ? 1 : undefined)
    return {
      'content-type': 'application/problem+json',
      ...(seconds === undefined ? {} : { 'retry-after': String(seconds) }),
      ...(status === 401 ? { 'www-authenticate': 'Bearer' } : {}),
    }
  }

  body(requestId: string): ProblemBody {
    return {
      type: `/docs/errors#${this.code}`,
      title: this.code.replaceAll('_', ' '),
      status: this.status,
      code: this.code,
      detail: this.message,
      request_id: requestId,
      ...(this.extras.errors ? { errors: this.extras.errors } : {}),
      ...this.extras.extensions,
    }
  }
}

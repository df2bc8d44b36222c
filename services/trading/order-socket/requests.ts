import { orderSocketRequests, requestsPerMessageMax, type OrderSocketOp, type OrderSocketRequest } from '@maru/contracts/order-socket'
import { compileValidator, Problem, shapeProblem } from '@maru/service-host'

const validators = Object.fromEntries(
  Object.entries(orderSocketRequests).map(([op, schema]) => [op, compileValidator({ schema, httpPart: 'body' })]),
) as Record<OrderSocketOp, ReturnType<typeof compileValidator>>
const ops = Object.keys(orderSocketRequests).join(', ')

export interface Parsed {
  /** Null where there is none that can be sent back. */
  id: string | number | null
  request: OrderSocketRequest | Problem
}

/** The requests of a message, each judged by itself. Throws Problem where the message is not JSON, or has too many or none. */
export function parseMessage(text: string): Parsed[] {
  let message: unknown
  try {
    message = JSON.parse(text)
  } catch {
    throw new Problem('invalid_json', 'The message is not valid JSON.')
  }
  if (!Array.isArray(message)) return [parseRequest(message)]
  if (message.length === 0 || message.length > requestsPerMessageMax) throw badMessage(`A list has 1 to ${requestsPerMessageMax} requests.`)
  return message.map(parseRequest)
}

/** What is said of a message as a whole. */
export function badMessage(detail: string): Problem {
  return new Problem('invalid_request', detail, { errors: [{ path: 'message', message: detail }] })
}

function parseRequest(value: unknown): Parsed {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    return { id: null, request: badMessage('A request is an object with id and op.') }
  const { id: given, op } = value as { id?: unknown; op?: unknown }
  const isId = (typeof given === 'string' && given.length > 0 && given.length <= 64) || (Number.isSafeInteger(given) && Number(given) >= 0)
  const id = isId ? (given as string | number) : null
  if (typeof op !== 'string' || !Object.hasOwn(validators, op))
    return {
      id,
      request: new Problem('invalid_request', `op: must be one of ${ops}.`, { errors: [{ path: 'op', message: `must be one of ${ops}` }] }),
    }
  const validate = validators[op as OrderSocketOp]
  if (!validate(value)) return { id, request: shapeProblem(validate.errors ?? [], 'request') }
  return { id, request: value as OrderSocketRequest }
}

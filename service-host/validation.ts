import { Ajv, type ErrorObject, type ValidateFunction } from 'ajv'
import type { Endpoint } from '@maru/contracts'
import { Problem } from './problem.ts'

const errorsMax = 20

// The schemas are our contracts, which a test holds to the standard; to judge them at each start would take longer than all else of it.
const options = {
  removeAdditional: false,
  useDefaults: true,
  allErrors: true,
  verbose: true,
  strict: false,
  meta: false,
  validateSchema: false,
} as const
// Text from a path or a query has no types; bodies keep theirs.
const ajvOfText = new Ajv({ ...options, coerceTypes: true })
const ajvOfBody = new Ajv({ ...options, coerceTypes: false })

export interface Validator {
  (value: unknown): boolean
  errors?: ErrorObject[] | null
}

/**
 * For Fastify: how a part of a request is validated. Compiled when the first such request comes: to compile every contract took a quarter of a start, and most
 * instances see few of them.
 */
export function compileValidator({ schema, httpPart }: { schema: unknown; httpPart?: string }): Validator {
  let compiled: ValidateFunction | undefined
  const validate: Validator = (value) => {
    compiled ??= (httpPart === 'body' ? ajvOfBody : ajvOfText).compile(schema as object)
    const isValid = compiled(value)
    if (!isValid) validate.errors = compiled.errors ?? null
    return isValid
  }
  return validate
}

/** Characters of one parameter in a path; with more it names nothing. */
export const paramMaxCharacters = 256

/** What an endpoint takes in its query: nothing, where the contract does not say. */
export function querySchemaOf(endpoint: Endpoint): object {
  return endpoint.query ?? { type: 'object', additionalProperties: false, properties: {} }
}

/** The problem for a bad shape: `errors` names each field at fault, 20 at most, and `detail` the first. */
export function shapeProblem(faults: readonly ErrorObject[], part: string): Problem {
  // Of a union only the union itself is reported, not what each of its branches would have liked.
  const unions = faults.filter((fault) => fault.keyword === 'anyOf' || fault.keyword === 'oneOf')
  const inUnion = (fault: ErrorObject) =>
    unions.some(
      (union) =>
        fault !== union && fault.schemaPath.startsWith(`${union.schemaPath}/`) && fault.instancePath.startsWith(union.instancePath),
    )
  const errors: { path: string; message: string }[] = []
  for (const fault of faults) {
    if (inUnion(fault)) continue
    const entry = { path: pathOf(fault, part), message: messageOf(fault) }
    if (errors.some(({ path, message }) => path === entry.path && message === entry.message)) continue
    errors.push(entry)
    if (errors.length === errorsMax) break
  }
  const first = errors[0]
  return new Problem('invalid_request', first ? `${first.path}: ${first.message}.` : undefined, { errors })
}

function pathOf(fault: ErrorObject, part: string): string {
  const extra: unknown = fault.params['additionalProperty'] ?? fault.params['missingProperty']
  const segments = fault.instancePath
    .split('/')
    .slice(1)
    .map((segment) => segment.replaceAll('~1', '/').replaceAll('~0', '~'))
  if (typeof extra === 'string') segments.push(extra)
  const path = segments.join('.')
  return path === '' ? part : path.slice(0, 200)
}

function messageOf(fault: ErrorObject): string {
  switch (fault.keyword) {
    case 'additionalProperties':
      return 'is not a known field'
    case 'required':
      return 'is required'
    case 'const':
      return `must be ${JSON.stringify(fault.params['allowedValue'])}`
    case 'enum':
      return `must be one of ${(fault.params['allowedValues'] as unknown[]).map(String).join(', ')}`
    case 'anyOf':
    case 'oneOf':
      return unionMessage(fault)
    case 'pattern':
      return shapeMessage(fault) ?? (fault.message as string)
    case 'type':
      return `must be ${[fault.params['type']].flat().map(articled).join(' or ')}`
    case 'minLength':
      return `must have at least ${counted(fault, 'character')}`
    case 'maxLength':
      return `must have at most ${counted(fault, 'character')}`
    case 'minProperties':
      return `must have at least ${counted(fault, 'field')}`
    default:
      return fault.message ?? 'is invalid'
  }
}

function unionMessage(fault: ErrorObject): string {
  const branches = Array.isArray(fault.schema) ? (fault.schema as { const?: unknown }[]) : []
  if (branches.length > 0 && branches.every((branch) => branch.const !== undefined))
    return `must be one of ${branches.map((branch) => String(branch.const)).join(', ')}`
  return shapeMessage(fault) ?? 'has none of the accepted shapes'
}

/** What the contract says of the field, which reads better than a pattern. */
function shapeMessage(fault: ErrorObject): string | undefined {
  const description = (fault.parentSchema as { description?: string } | undefined)?.description
  return description === undefined ? undefined : `must be: ${description.replace(/\.$/, '')}`
}

function counted(fault: ErrorObject, unit: string): string {
  const limit = Number(fault.params['limit'])
  return `${limit} ${unit}${limit === 1 ? '' : 's'}`
}

function articled(type: unknown): string {
  return type === 'null' ? 'null' : `${/^[aio]/.test(String(type)) ? 'an' : 'a'} ${String(type)}`
}

import { Ajv, type ValidateFunction } from 'ajv'
import type { Logger } from './logger.ts'

type Schema = Record<string, unknown>

/**
 * The contracts are ours and held to the standard by a test: judging each against the schema of schemas, in a validator of its own, took half a second of every
 * start.
 */
const unjudged = { strict: false, meta: false, validateSchema: false } as const
const checking = new Ajv({ ...unjudged, allErrors: false })
const pruning = new Ajv({ ...unjudged, allErrors: true, removeAdditional: true })

/**
 * Writes answers as JSON and holds them to their contract. An answer with fields the contract does not have loses them (so no
 * internal column ever leaks), one that differs otherwise goes out as it is, since what it reports has been done; both are
 * logged as faults of ours. With `strict` either throws instead, which the caller answers as `internal`.
 */
export function compileReply(schema: unknown, options: { logger: Logger; strict: boolean; route: string }): (reply: unknown) => string {
  let check: ValidateFunction | undefined
  let prune: ValidateFunction | undefined
  let logged = 0
  return (reply) => {
    // With the first reply, not at the start: most instances see few of their routes.
    check ??= checking.compile(closeObjects(schema as Schema))
    if (check(reply)) return JSON.stringify(reply)
    const fault = check.errors?.[0]
    const where = `${fault?.instancePath ?? ''} ${fault?.message ?? ''} ${JSON.stringify(fault?.params ?? {})}`
    if (options.strict) throw new Error(`The reply of ${options.route} does not have the shape of its contract: ${where}`)
    // One route at fault must not fill the log.
    if (logged++ < 10) options.logger.error({ route: options.route, fault: where }, 'a reply does not have the shape of its contract')
    const copy = JSON.parse(JSON.stringify(reply)) as unknown
    prune ??= pruning.compile(closeObjects(schema as Schema))
    prune(copy)
    return JSON.stringify(copy)
  }
}

/** A copy in which objects that say nothing of further fields have none. Parts of an intersection stay open. */
function closeObjects(schema: Schema, open = false): Schema {
  const copy: Schema = {}
  for (const [key, value] of Object.entries(schema)) copy[key] = closeValue(key, value)
  if (!open && schema['properties'] !== undefined && schema['additionalProperties'] === undefined && schema['allOf'] === undefined)
    copy['additionalProperties'] = false
  return copy
}

function closeValue(key: string, value: unknown): unknown {
  if (key === 'properties' || key === 'patternProperties' || key === '$defs')
    return Object.fromEntries(Object.entries(value as Record<string, Schema>).map(([name, schema]) => [name, closeObjects(schema)]))
  if ((key === 'anyOf' || key === 'oneOf' || key === 'allOf') && Array.isArray(value))
    return value.map((schema) => closeObjects(schema as Schema, key === 'allOf'))
  if ((key === 'items' || key === 'additionalProperties') && isSchema(value)) return closeObjects(value)
  return value
}

function isSchema(value: unknown): value is Schema {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

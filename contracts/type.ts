import type { Type as TypeBox } from 'typebox'

/** What contracts are made of. */
type Builders = Pick<
  typeof TypeBox,
  | 'Any'
  | 'Array'
  | 'Boolean'
  | 'Enum'
  | 'Integer'
  | 'Literal'
  | 'Null'
  | 'Number'
  | 'Object'
  | 'Optional'
  | 'Record'
  | 'String'
  | 'Tuple'
  | 'Union'
  | 'Unknown'
>

type Schema = Record<string, unknown>
/** Which the object around it need not have. It is no part of JSON Schema, and so not seen in it. */
const optional = '~optional'

const of =
  (type: string) =>
  (options: object = {}): Schema => ({ type, ...options })

function record(key: Schema, value: Schema, options: object = {}): Schema {
  return { type: 'object', patternProperties: { [(key['pattern'] as string | undefined) ?? '^.*$']: value }, ...options }
}

function object(properties: Record<string, Schema>, options: object = {}): Schema {
  const required = Object.keys(properties).filter((name) => properties[name]?.[optional] !== true)
  return { type: 'object', ...(required.length > 0 && { required }), properties, ...options }
}

const builders: Record<keyof Builders, (...given: never[]) => Schema> = {
  Any: (options: object = {}) => ({ ...options }),
  Array: (items: Schema, options: object = {}) => ({ type: 'array', items, ...options }),
  Boolean: of('boolean'),
  Enum: (values: readonly unknown[], options: object = {}) => ({ enum: [...values], ...options }),
  Integer: of('integer'),
  Literal: (value: unknown, options: object = {}) => ({ type: typeof value, const: value, ...options }),
  Null: of('null'),
  Number: of('number'),
  Object: object,
  Optional: (schema: Schema) => Object.defineProperty({ ...schema }, optional, { value: true }),
  Record: record,
  String: of('string'),
  Tuple: (items: readonly Schema[], options: object = {}) => ({
    type: 'array',
    additionalItems: false,
    items,
    minItems: items.length,
    ...options,
  }),
  Union: (anyOf: readonly Schema[], options: object = {}) => ({ anyOf, ...options }),
  Unknown: (options: object = {}) => ({ ...options }),
}

/**
 * Those builders of TypeBox that contracts use, with TypeBox's own types, and the same JSON Schemas (`test/type.test.ts` holds them against it). TypeBox itself
 * is 370 modules, most of them for what is done with types at run time; to load them was a quarter of the start of every process.
 */
export const Type = builders as unknown as Builders

import fc from 'fast-check'
import TypeBox from 'typebox'
import { expect, test } from 'vitest'
import { Type } from '../type.ts'

/** Without their types: what is held here is what they make. */
type Builders = Record<keyof typeof Type, (...given: unknown[]) => object>
type Build = (builders: Builders) => object

const ours = Type as unknown as Builders
const theirs = TypeBox as unknown as Builders

const options = fc.option(
  fc.record(
    {
      description: fc.string({ maxLength: 5 }),
      minimum: fc.nat(9),
      pattern: fc.constantFrom('^a$', 'b'),
      additionalProperties: fc.constant(false),
    },
    { requiredKeys: [] },
  ),
  { nil: undefined },
)
const plain = fc.constantFrom('Any', 'Boolean', 'Integer', 'Null', 'Number', 'String', 'Unknown')
const names = fc.constantFrom('a', 'b', 'c')

/** A schema of any shape, made by either's builders. */
const { schema } = fc.letrec<{ schema: Build }>((tie) => {
  const inner = tie('schema')
  const list = (minLength: number) => fc.array(inner, { minLength, maxLength: 3 })
  return {
    schema: fc.oneof(
      { maxDepth: 4 },
      fc.tuple(plain, options).map(
        ([name, rest]): Build =>
          (by) =>
            by[name](rest),
      ),
      fc.tuple(fc.constantFrom('x', 1, true), options).map(
        ([value, rest]): Build =>
          (by) =>
            by.Literal(value, rest),
      ),
      options.map(
        (rest): Build =>
          (by) =>
            by.Enum(['p', 'q'], rest),
      ),
      inner.map(
        (of): Build =>
          (by) =>
            by.Optional(of(by)),
      ),
      fc.tuple(inner, options).map(
        ([of, rest]): Build =>
          (by) =>
            by.Array(of(by), rest),
      ),
      fc.tuple(list(0), options).map(
        ([of, rest]): Build =>
          (by) =>
            by.Union(
              of.map((each) => each(by)),
              rest,
            ),
      ),
      fc.tuple(list(1), options).map(
        ([of, rest]): Build =>
          (by) =>
            by.Tuple(
              of.map((each) => each(by)),
              rest,
            ),
      ),
      fc.tuple(inner, options, options).map(
        ([of, key, rest]): Build =>
          (by) =>
            by.Record(by.String(key), of(by), rest),
      ),
      fc.tuple(fc.dictionary(names, inner, { maxKeys: 3 }), options).map(
        ([of, rest]): Build =>
          (by) =>
            by.Object(Object.fromEntries(Object.entries(of).map(([name, each]) => [name, each(by)])), rest),
      ),
    ),
  }
})

test('every schema is the one that TypeBox makes, to the order of its keys', () => {
  fc.assert(
    fc.property(schema, (build) => {
      expect(JSON.stringify(build(ours))).toBe(JSON.stringify(build(theirs)))
    }),
    { numRuns: 500 },
  )
})

test('what is optional stays so in another object, and the schema it was made of is not changed', () => {
  const text = Type.String()
  const given = Type.Optional(text)
  expect(Type.Object({ given, text })).toEqual({
    type: 'object',
    required: ['text'],
    properties: { given: { type: 'string' }, text: { type: 'string' } },
  })
  expect(Type.Object({ given })).not.toHaveProperty('required')
})

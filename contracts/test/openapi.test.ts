import { Validator } from '@seriousme/openapi-schema-validator'
import { describe, expect, test } from 'vitest'
import { errorCatalogue } from '../errors.ts'
import { allEndpoints } from '../http/index.ts'
import { buildOpenApi, pathAtGateway } from '../openapi.ts'

const document = buildOpenApi(allEndpoints, { version: '0.1.0' })

interface Operation {
  operationId: string
  responses: Record<string, unknown>
  parameters?: { name: string; in: string }[]
}
const operations = Object.entries(document['paths'] as Record<string, Record<string, Operation>>).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, operation]) => ({ path, method, operation })),
)

describe('the OpenAPI document', () => {
  test('is valid OpenAPI 3.1', async () => {
    const result = await new Validator().validate(structuredClone(document))
    expect(result.errors).toBeUndefined()
    expect(result.valid).toBe(true)
  })

  test('the validator refuses a broken document (so that its yes means something)', async () => {
    const broken = structuredClone(document)
    broken['paths'] = { 'no-slash': { get: { responses: 'none' } } }
    expect((await new Validator().validate(broken)).valid).toBe(false)
  })

  test('has every endpoint once, with ids of their own', () => {
    expect(operations.map(({ method, path }) => `${method} ${path}`).sort()).toEqual(
      allEndpoints.map((endpoint) => `${endpoint.method.toLowerCase()} ${pathAtGateway(endpoint)}`).sort(),
    )
    expect(new Set(operations.map(({ operation }) => operation.operationId)).size).toBe(operations.length)
  })

  test('declares every parameter of every path', () => {
    for (const { path, operation } of operations) {
      const inPath = [...path.matchAll(/\{([^}]+)\}/g)].map((match) => match[1])
      const declared = (operation.parameters ?? []).filter((parameter) => parameter.in === 'path').map((parameter) => parameter.name)
      expect({ path, declared: new Set(declared) }).toEqual({ path, declared: new Set(inPath) })
    }
  })

  test('lists every code of the catalogue', () => {
    const { components } = document as { components: { schemas: { Problem: { properties: { code: { enum: string[] } } } } } }
    expect(components.schemas.Problem.properties.code.enum).toEqual(Object.keys(errorCatalogue))
  })
})

import type { TSchema } from 'typebox'
import type { Endpoint } from './endpoint.ts'
import { errorCatalogue, type ErrorCode } from './errors.ts'

/** An endpoint of a service, or of the gateway itself. */
export type DocumentedEndpoint = Omit<Endpoint, 'service'> & { readonly service: string }

type Json = Record<string, unknown>

/** What any endpoint may answer, by the nature of the platform. */
const errorsOfAll: readonly ErrorCode[] = ['rate_limited', 'overloaded', 'unavailable', 'bad_gateway', 'gateway_timeout', 'internal']
const errorsOfInput: readonly ErrorCode[] = ['invalid_request']
const errorsOfBody: readonly ErrorCode[] = [
  'invalid_request',
  'invalid_json',
  'payload_too_large',
  'unsupported_media_type',
  'request_timeout',
]
const errorsOfKey: readonly ErrorCode[] = [
  'invalid_signature',
  'timestamp_outside_window',
  'signature_used',
  'address_not_allowed',
  'insufficient_scope',
]
const errorsOfUser: readonly ErrorCode[] = ['unauthenticated', 'token_expired']

/** Path of an endpoint at the gateway, in the notation of OpenAPI: `/api/trading/orders/{id}`. */
export function pathAtGateway(endpoint: Pick<DocumentedEndpoint, 'service' | 'path'>): string {
  const prefix = endpoint.service === 'gateway' ? '' : `/api/${endpoint.service}`
  return `${prefix}${endpoint.path}`.replaceAll(/:([A-Za-z_]+)/g, '{$1}')
}

/** The OpenAPI 3.1 document of the endpoints as they stand at the gateway. */
export function buildOpenApi(endpoints: readonly DocumentedEndpoint[], info: { version: string }): Json {
  const paths: Record<string, Json> = {}
  for (const endpoint of endpoints) {
    const path = pathAtGateway(endpoint)
    paths[path] = { ...paths[path], [endpoint.method.toLowerCase()]: operation(endpoint) }
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Maru',
      version: info.version,
      summary: 'A trading floor you can run yourself.',
      description:
        'Money, prices and quantities are decimal strings (numbers are accepted), times ISO 8601 UTC. A symbol is `BTC/USDT` in JSON and query, `BTC-USDT` in a path. ' +
        'Every error is `application/problem+json` with a `code` from the catalogue at [/docs/errors](/docs/errors).',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: '/' }],
    tags: [...new Set(endpoints.map((endpoint) => endpoint.service))].map((name) => ({ name })),
    paths,
    components: {
      securitySchemes: {
        bearer: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT', description: 'The `access_token` of `POST /api/user/token`.' },
        apiKey: {
          type: 'apiKey',
          in: 'header',
          name: 'Maru-Key',
          description: 'The id of an API key, with `Maru-Timestamp` and `Maru-Signature` (docs/api-keys.md).',
        },
      },
      schemas: { Problem: problemSchema },
    },
  }
}

function operation(endpoint: DocumentedEndpoint): Json {
  const parameters = [...parametersOf(endpoint.params, 'path'), ...parametersOf(endpoint.query, 'query')]
  return {
    operationId: operationId(endpoint),
    tags: [endpoint.service],
    summary: endpoint.summary,
    ...(endpoint.description === undefined ? {} : { description: endpoint.description }),
    ...(parameters.length > 0 ? { parameters } : {}),
    ...(endpoint.body ? { requestBody: { required: true, content: { [bodyTypeOf(endpoint)]: { schema: plain(endpoint.body) } } } } : {}),
    security: securityOf(endpoint),
    ...(endpoint.keyScope === undefined ? {} : { 'x-api-key-scope': endpoint.keyScope }),
    ...(endpoint.access === 'operator' ? { 'x-access': 'operator' } : {}),
    responses: responsesOf(endpoint),
  }
}

function securityOf({ access, keyScope }: DocumentedEndpoint): Json[] {
  if (access === 'public') return []
  return keyScope === undefined ? [{ bearer: [] }] : [{ bearer: [] }, { apiKey: [] }]
}

/** `getTradingOrdersById`: unique because method and path are. */
function operationId(endpoint: DocumentedEndpoint): string {
  const words = `${endpoint.service}${endpoint.path}`.split(/[^A-Za-z0-9:]+/).filter((word) => word !== '')
  return (
    endpoint.method.toLowerCase() + words.map((word) => (word.startsWith(':') ? `By${capital(word.slice(1))}` : capital(word))).join('')
  )
}

function capital(word: string): string {
  return word.charAt(0).toUpperCase() + word.slice(1)
}

function bodyTypeOf(endpoint: DocumentedEndpoint): string {
  return endpoint.bodyType === 'form' ? 'application/x-www-form-urlencoded' : 'application/json'
}

function parametersOf(schema: TSchema | undefined, where: 'path' | 'query'): Json[] {
  if (!schema) return []
  const { properties, required } = plain(schema) as { properties?: Record<string, Json>; required?: string[] }
  return Object.entries(properties ?? {}).map(([name, property]) => {
    const { description, ...rest } = property
    return {
      name,
      in: where,
      required: where === 'path' || (required ?? []).includes(name),
      ...(description === undefined ? {} : { description }),
      schema: rest,
    }
  })
}

function responsesOf(endpoint: DocumentedEndpoint): Json {
  const type = endpoint.replyType ?? 'application/json'
  const empty = endpoint.status === 204
  const responses: Json = {
    [endpoint.status]: { description: 'Done.', ...(empty ? {} : { content: { [type]: { schema: plain(endpoint.reply) } } }) },
  }
  for (const [status, codes] of byStatus(errorsOf(endpoint))) {
    responses[status] = {
      description: codes.map((code) => `\`${code}\`: ${errorCatalogue[code].meaning}`).join('\n\n'),
      content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } },
    }
  }
  return responses
}

function errorsOf(endpoint: DocumentedEndpoint): ErrorCode[] {
  return [
    ...(endpoint.errors ?? []),
    ...(endpoint.params || endpoint.query ? errorsOfInput : []),
    ...(endpoint.body ? errorsOfBody : []),
    ...(endpoint.access === 'public' ? [] : errorsOfUser),
    ...(endpoint.access === 'operator' ? (['forbidden'] as const) : []),
    ...(endpoint.keyScope === undefined ? [] : errorsOfKey),
    ...(endpoint.service === 'gateway' ? (['rate_limited'] as const) : errorsOfAll),
  ]
}

function byStatus(codes: readonly ErrorCode[]): [number, ErrorCode[]][] {
  const groups = new Map<number, ErrorCode[]>()
  for (const code of new Set(codes)) {
    const { status } = errorCatalogue[code]
    groups.set(status, [...(groups.get(status) ?? []), code])
  }
  return [...groups].sort(([a], [b]) => a - b)
}

/** A schema as plain JSON: what the schema library attaches for its own use does not survive. */
function plain(schema: TSchema): Json {
  return JSON.parse(JSON.stringify(schema)) as Json
}

const problemSchema = {
  type: 'object',
  description: 'RFC 9457 problem details.',
  required: ['type', 'title', 'status', 'code', 'detail'],
  properties: {
    type: { type: 'string', description: 'Where the code is explained.' },
    title: { type: 'string' },
    status: { type: 'integer' },
    code: { type: 'string', enum: Object.keys(errorCatalogue) },
    detail: { type: 'string', description: 'What is wrong in this case.' },
    request_id: { type: 'string' },
    errors: {
      type: 'array',
      description: 'The fields at fault, where the shape of the request is.',
      items: { type: 'object', required: ['path', 'message'], properties: { path: { type: 'string' }, message: { type: 'string' } } },
    },
  },
}

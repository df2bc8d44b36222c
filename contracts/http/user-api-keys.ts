import { Type } from '../type.ts'
import { endpoint } from '../endpoint.ts'
import { ListOf, PageQuery, Strict, Timestamp } from '../schemas.ts'
import { Message, PasswordGiven } from './user.ts'

/** Keys with which programs sign their requests (docs/api-keys.md). Only a person who is logged in makes, sees and revokes them. */

const KeyId = Type.String({ minLength: 1, maxLength: 64, pattern: '^[A-Za-z0-9_-]+$', description: 'The id of an API key.' })
const Label = Type.String({ minLength: 1, maxLength: 64, description: 'What the key is for, in your words.' })
const Scopes = Type.Array(Type.Union([Type.Literal('read'), Type.Literal('trade'), Type.Literal('withdraw')]), {
  minItems: 1,
  maxItems: 3,
  uniqueItems: true,
  description:
    '`read`: look at your own account. `trade`: place, change and cancel orders. `withdraw`: move money out, which no endpoint of this release lets users do.',
})

const keyFields = {
  id: KeyId,
  label: Label,
  scopes: Scopes,
  addresses: Type.Array(Type.String(), { description: 'Addresses and subnets it may be used from; empty: any.' }),
  created_at: Timestamp,
  expires_at: Type.Union([Timestamp, Type.Null()]),
  last_used_at: Type.Union([Timestamp, Type.Null()], { description: 'To some ten minutes.' }),
}

export const ApiKey = Type.Object(keyFields)

export const apiKeyEndpoints = {
  createApiKey: endpoint({
    service: 'user',
    method: 'POST',
    path: '/me/api-keys',
    access: 'user',
    isAttempt: true,
    summary: 'Make an API key',
    description:
      'The secret is shown in this answer alone. Asks for the password, so that a stolen session makes no key. A user has at most 20.',
    body: Strict({
      label: Label,
      scopes: Scopes,
      addresses: Type.Optional(
        Type.Array(Type.String({ minLength: 2, maxLength: 49 }), {
          maxItems: 20,
          uniqueItems: true,
          description: 'Addresses and subnets (`203.0.113.7`, `2001:db8::/48`) it may be used from; any where unset.',
        }),
      ),
      expires_at: Type.Optional(Type.String({ minLength: 20, maxLength: 40, description: 'When it ends, ISO 8601; never where unset.' })),
      password: PasswordGiven,
    }),
    status: 201,
    reply: Type.Object({ ...keyFields, secret: Type.String({ description: 'Signs requests; kept by you alone.' }) }),
    errors: ['invalid_credentials', 'account_disabled', 'rate_limited', 'overloaded', 'api_key_limit'],
  }),
  apiKeys: endpoint({
    service: 'user',
    method: 'GET',
    path: '/me/api-keys',
    access: 'user',
    summary: 'My API keys',
    query: PageQuery,
    status: 200,
    reply: ListOf(ApiKey),
    errors: ['account_disabled'],
  }),
  renameApiKey: endpoint({
    service: 'user',
    method: 'PATCH',
    path: '/me/api-keys/:key_id',
    access: 'user',
    summary: 'Rename an API key',
    description: 'What it may do never changes: make another.',
    params: Type.Object({ key_id: KeyId }),
    body: Strict({ label: Label }),
    status: 200,
    reply: ApiKey,
    errors: ['not_found', 'account_disabled'],
  }),
  revokeApiKey: endpoint({
    service: 'user',
    method: 'DELETE',
    path: '/me/api-keys/:key_id',
    access: 'user',
    summary: 'Revoke an API key',
    description: 'It is void at every service within seconds, and sockets opened with it are closed.',
    params: Type.Object({ key_id: KeyId }),
    status: 200,
    reply: Message,
    errors: ['not_found', 'account_disabled'],
  }),
} as const

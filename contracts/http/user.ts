import { Type } from '../type.ts'
import { endpoint } from '../endpoint.ts'
import { Cursor, Limit, ListOf, PageQuery, Strict, Timestamp, UserId } from '../schemas.ts'

/** The HTTP face of the user service: who someone is, and what they may do. */

export const Language = Type.Union([Type.Literal('en'), Type.Literal('ko')], { description: 'Language of notifications.' })

export const Role = Type.Union([Type.Literal('operator')], { description: 'What a user may do beyond their own account.' })

const Email = Type.String({ minLength: 3, maxLength: 254, description: 'Compared without regard to case.' })
const Username = Type.String({
  minLength: 1,
  maxLength: 64,
  description: '2 to 32 letters, digits, dots, dashes or underscores; compared without regard to case.',
})
const Password = Type.String({ minLength: 8, maxLength: 128, description: '8 to 128 characters.' })
/** What is checked against a stored password may have any length a password can have, so that a short one is wrong, not malformed. */
export const PasswordGiven = Type.String({ minLength: 1, maxLength: 128 })
const SessionId = Type.String({ minLength: 1, maxLength: 64, pattern: '^[A-Za-z0-9-]+$' })

export const User = Type.Object({
  user_id: UserId,
  email: Type.String(),
  username: Type.String(),
  roles: Type.Array(Role),
  status: Type.Union([Type.Literal('active'), Type.Literal('disabled')]),
  language: Language,
  created_at: Timestamp,
  updated_at: Timestamp,
})

const Tokens = Type.Object({
  access_token: Type.String({ description: 'EdDSA JWT; send it as `Authorization: Bearer …`.' }),
  token_type: Type.Literal('bearer'),
  expires_in: Type.Integer({ description: 'Seconds until the access token expires.' }),
  refresh_token: Type.String({ description: 'Good for one refresh; the answer brings the next.' }),
  user_id: UserId,
  email: Type.String(),
})

export const Message = Type.Object({ message: Type.String() })

const Session = Type.Object({
  id: Type.String(),
  created_at: Timestamp,
  last_used_at: Timestamp,
  expires_at: Timestamp,
  user_agent: Type.Union([Type.String(), Type.Null()]),
  address: Type.Union([Type.String(), Type.Null()]),
  current: Type.Boolean({ description: 'The session of the token of this request.' }),
})

const AuditEntry = Type.Object({
  id: Type.String(),
  timestamp: Timestamp,
  action: Type.String(),
  actor: Type.Union([Type.String(), Type.Null()], { description: 'Id of the user who did it; null: the platform.' }),
  subject: Type.Union([Type.String(), Type.Null()], { description: 'Id of the user it was done to.' }),
  data: Type.Record(Type.String(), Type.Unknown()),
  request_id: Type.Union([Type.String(), Type.Null()]),
})

export const userEndpoints = {
  register: endpoint({
    service: 'user',
    method: 'POST',
    path: '/register',
    access: 'public',
    isAttempt: true,
    summary: 'Register a user',
    description: 'Opens a trading account with play money as well. Without `language` the `Accept-Language` header decides.',
    body: Strict({ email: Email, username: Username, password: Password, language: Type.Optional(Language) }),
    status: 201,
    reply: Type.Object({ message: Type.String(), user_id: UserId }),
    errors: ['email_taken', 'username_taken', 'overloaded'],
  }),
  token: endpoint({
    service: 'user',
    method: 'POST',
    path: '/token',
    access: 'public',
    isAttempt: true,
    summary: 'Log in',
    description: 'The OAuth 2 password form. `username` is the e-mail address or the name of the user.',
    bodyType: 'form',
    body: Strict({
      username: Type.String({ minLength: 1, maxLength: 254 }),
      password: PasswordGiven,
      totp: Type.Optional(Type.String({ maxLength: 16, description: 'For a second factor, which no user has in this release.' })),
      grant_type: Type.Optional(Type.String({ pattern: '^(password)?$', description: '`password`, or nothing.' })),
      scope: Type.Optional(Type.String({ maxLength: 256, description: 'Accepted as clients send it; it changes nothing.' })),
      client_id: Type.Optional(Type.String({ maxLength: 256, description: 'Accepted as clients send it; it changes nothing.' })),
      client_secret: Type.Optional(Type.String({ maxLength: 256, description: 'Accepted as clients send it; it changes nothing.' })),
    }),
    status: 200,
    reply: Tokens,
    errors: ['invalid_credentials', 'account_disabled', 'rate_limited', 'overloaded'],
  }),
  refresh: endpoint({
    service: 'user',
    method: 'POST',
    path: '/refresh',
    access: 'public',
    isAttempt: true,
    summary: 'Exchange a refresh token for new tokens',
    description:
      'Each refresh token works once. Sent again within a few seconds (two tabs, a lost answer) it brings the same next token; later it ends the session, since someone else may hold it.',
    body: Strict({ refresh_token: Type.String({ minLength: 1, maxLength: 256 }) }),
    status: 200,
    reply: Tokens,
    errors: ['invalid_refresh_token', 'account_disabled', 'rate_limited'],
  }),
  logout: endpoint({
    service: 'user',
    method: 'POST',
    path: '/logout',
    access: 'user',
    summary: 'End this session',
    description: 'Its refresh token stops working at once; its access token when it expires.',
    status: 200,
    reply: Message,
  }),
  me: endpoint({
    service: 'user',
    method: 'GET',
    path: '/me',
    access: 'user',
    keyScope: 'read',
    summary: 'Who I am',
    status: 200,
    reply: User,
    errors: ['account_disabled'],
  }),
  updateMe: endpoint({
    service: 'user',
    method: 'PATCH',
    path: '/me',
    access: 'user',
    summary: 'Change my name or language',
    body: Strict({ username: Type.Optional(Username), language: Type.Optional(Language) }, { minProperties: 1 }),
    status: 200,
    reply: User,
    errors: ['username_taken', 'account_disabled'],
  }),
  changePassword: endpoint({
    service: 'user',
    method: 'POST',
    path: '/me/password',
    access: 'user',
    isAttempt: true,
    summary: 'Change my password',
    description: 'Ends every other session.',
    body: Strict({ current_password: PasswordGiven, new_password: Password }),
    status: 200,
    reply: Message,
    errors: ['invalid_credentials', 'account_disabled', 'rate_limited', 'overloaded'],
  }),
  sessions: endpoint({
    service: 'user',
    method: 'GET',
    path: '/me/sessions',
    access: 'user',
    summary: 'Where I am logged in',
    query: PageQuery,
    status: 200,
    reply: ListOf(Session),
    errors: ['account_disabled'],
  }),
  endSession: endpoint({
    service: 'user',
    method: 'DELETE',
    path: '/me/sessions/:session_id',
    access: 'user',
    summary: 'Log a session out',
    params: Type.Object({ session_id: SessionId }),
    status: 200,
    reply: Message,
    errors: ['not_found', 'account_disabled'],
  }),
  users: endpoint({
    service: 'user',
    method: 'GET',
    path: '/users',
    access: 'operator',
    summary: 'List users',
    query: Strict({
      limit: Limit(50, 200),
      cursor: Cursor,
      search: Type.Optional(Type.String({ minLength: 1, maxLength: 254, description: 'The beginning of a name or e-mail address.' })),
      status: Type.Optional(Type.Union([Type.Literal('active'), Type.Literal('disabled')])),
    }),
    status: 200,
    reply: ListOf(User),
  }),
  user: endpoint({
    service: 'user',
    method: 'GET',
    path: '/users/:user_id',
    access: 'operator',
    summary: 'One user',
    params: Type.Object({ user_id: UserId }),
    status: 200,
    reply: User,
    errors: ['user_not_found'],
  }),
  setRoles: endpoint({
    service: 'user',
    method: 'PUT',
    path: '/users/:user_id/roles',
    access: 'operator',
    summary: 'Set the roles of a user',
    description: 'Tokens already given out keep their roles until they expire. An operator cannot change their own.',
    params: Type.Object({ user_id: UserId }),
    body: Strict({ roles: Type.Array(Role, { maxItems: 8, uniqueItems: true }) }),
    status: 200,
    reply: User,
    errors: ['user_not_found', 'forbidden'],
  }),
  setStatus: endpoint({
    service: 'user',
    method: 'PUT',
    path: '/users/:user_id/status',
    access: 'operator',
    summary: 'Disable or enable a user',
    description:
      'Disabling ends all sessions of the user, and their access tokens within seconds, at every service. An operator cannot disable themselves.',
    params: Type.Object({ user_id: UserId }),
    body: Strict({ status: Type.Union([Type.Literal('active'), Type.Literal('disabled')]) }),
    status: 200,
    reply: User,
    errors: ['user_not_found', 'forbidden'],
  }),
  audit: endpoint({
    service: 'user',
    method: 'GET',
    path: '/audit',
    access: 'operator',
    summary: 'Who did what to whom',
    query: Strict({ limit: Limit(50, 200), cursor: Cursor, subject: Type.Optional(UserId), actor: Type.Optional(UserId) }),
    status: 200,
    reply: ListOf(AuditEntry),
  }),
  jwks: endpoint({
    service: 'user',
    method: 'GET',
    path: '/.well-known/jwks.json',
    access: 'public',
    summary: 'The public keys that verify access tokens',
    status: 200,
    reply: Type.Object({
      keys: Type.Array(
        Type.Object({
          kty: Type.Literal('OKP'),
          crv: Type.Literal('Ed25519'),
          x: Type.String(),
          kid: Type.String({ description: 'RFC 7638 thumbprint.' }),
          alg: Type.Literal('EdDSA'),
          use: Type.Literal('sig'),
        }),
      ),
    }),
  }),
} as const

import { createPublicKey, createHash, randomBytes, sign, generateKeyPairSync } from 'node:crypto'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { defaultPassword, startUserService, type RunningUserService, type Tokens } from './start.ts'

let service: RunningUserService
let admin: pg.Pool

beforeAll(async () => {
  service = await startUserService({ MARU_LOGIN_ATTEMPTS_MAX: '5', MARU_LOGIN_WINDOW_SECONDS: '600' })
  admin = new pg.Pool({ connectionString: service.database.adminUrl, max: 2 })
  admin.on('error', () => undefined)
})

afterAll(async () => {
  await admin.end()
  await service[Symbol.asyncDispose]()
})

const part = (token: string, index: number) =>
  JSON.parse(Buffer.from(token.split('.')[index] ?? '', 'base64url').toString('utf8')) as Record<string, unknown>

describe('tokens', () => {
  test('a login gives an EdDSA token of 30 minutes that the published key verifies', async () => {
    const user = await service.register('tokenuser')
    const tokens = await service.login(user.email, user.password)
    expect(tokens).toMatchObject({ token_type: 'bearer', expires_in: 1_800, user_id: user.userId, email: user.email })
    const { body } = await service.call<{ keys: { x: string; kid: string }[] }>('GET', '/.well-known/jwks.json')
    const key = body.keys[0]
    expect(Object.keys(key ?? {}).sort()).toEqual(['alg', 'crv', 'kid', 'kty', 'use', 'x'])
    expect(part(tokens.access_token, 0)).toMatchObject({ alg: 'EdDSA', kid: key?.kid })
    expect(key?.kid).toBe(createHash('sha256').update(`{"crv":"Ed25519","kty":"OKP","x":"${key?.x}"}`).digest('base64url'))
    const claims = part(tokens.access_token, 1)
    expect(claims).toMatchObject({ iss: 'maru', aud: 'maru-api', sub: user.userId, roles: [] })
    expect(Number(claims['exp']) - Number(claims['iat'])).toBe(1_800)
    expect(claims['jti']).toEqual(expect.any(String))
    expect(createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x: key?.x ?? '' }, format: 'jwk' }).asymmetricKeyType).toBe('ed25519')
    const me = await service.call('GET', '/me', { token: tokens.access_token })
    expect(me.status).toBe(200)
    expect(me.body).toEqual({
      user_id: user.userId,
      email: user.email,
      username: 'tokenuser',
      roles: [],
      status: 'active',
      language: 'en',
      created_at: expect.any(String),
      updated_at: expect.any(String),
    })
  })

  test('the name, in any case, is a login as well, and OAuth fields are taken', async () => {
    const user = await service.register('CasedName')
    const answer = await service.call<Tokens>('POST', '/token', {
      form: { grant_type: 'password', username: 'cASEDnAME', password: user.password, scope: '', client_id: 'x', client_secret: 'y' },
    })
    expect(answer.status).toBe(200)
    expect(answer.headers.get('cache-control')).toBe('no-store')
    expect(answer.body.user_id).toBe(user.userId)
  })

  test('a wrong password and an unknown login get the same answer', async () => {
    const user = await service.register('answeruser')
    const wrong = await service.call('POST', '/token', { form: { username: user.email, password: 'not the password' } })
    const unknown = await service.call('POST', '/token', { form: { username: 'nobody@example.com', password: 'not the password' } })
    const impossible = await service.call('POST', '/token', { form: { username: `x'; drop table users; --`, password: 'short' } })
    for (const answer of [wrong, unknown, impossible]) {
      expect(answer.status).toBe(401)
      expect({ ...answer.body, request_id: '' }).toEqual({ ...wrong.body, request_id: '' })
      expect(answer.body['code']).toBe('invalid_credentials')
    }
  })

  test('forged tokens are refused', async () => {
    const user = await service.register('forgeduser')
    const { access_token } = await service.login(user.email, user.password)
    const [head, payload] = access_token.split('.') as [string, string]
    const other = generateKeyPairSync('ed25519').privateKey
    const forgedSignature = sign(null, Buffer.from(`${head}.${payload}`), other).toString('base64url')
    const operatorClaims = Buffer.from(JSON.stringify({ ...part(access_token, 1), roles: ['operator'] })).toString('base64url')
    const none = Buffer.from(JSON.stringify({ alg: 'none', typ: 'JWT' })).toString('base64url')
    for (const token of [
      `${head}.${payload}.${forgedSignature}`,
      `${head}.${operatorClaims}.${access_token.split('.')[2]}`,
      `${none}.${operatorClaims}.`,
      'garbage',
      'a.b.c',
    ]) {
      const answer = await service.call('GET', '/me', { token })
      expect([answer.status, answer.body['code']]).toEqual([401, 'unauthenticated'])
    }
    expect((await service.call('GET', '/me')).status).toBe(401)
  })

  test('guesses are limited for each login, sent at once or not, and for unknown ones too', async () => {
    const user = await service.register('guessed')
    for (const username of ['guessed', 'never-registered']) {
      const answers = await Promise.all(
        Array.from({ length: 9 }, (_, index) => service.call('POST', '/token', { form: { username, password: `guess ${index}` } })),
      )
      expect(answers.filter((answer) => answer.status === 401)).toHaveLength(5)
      const limited = answers.filter((answer) => answer.status === 429)
      expect(limited).toHaveLength(4)
      expect(limited[0]?.body['code']).toBe('rate_limited')
      expect(Number(limited[0]?.headers.get('retry-after'))).toBeGreaterThan(0)
    }
    // Even the right one now.
    expect((await service.call('POST', '/token', { form: { username: 'guessed', password: user.password } })).status).toBe(429)
    await admin.query(`update users.login_attempts set window_started_at = now() - interval '1 hour'`)
    await service.login('guessed', user.password)
  })
})

describe('refresh', () => {
  const refresh = (refresh_token: string) => service.call<Tokens>('POST', '/refresh', { json: { refresh_token } })

  test('each token works once and brings the next', async () => {
    const user = await service.register('refresher')
    let { refresh_token } = await service.login(user.email, user.password)
    for (let round = 0; round < 3; round++) {
      const answer = await refresh(refresh_token)
      expect(answer.status).toBe(200)
      expect(answer.body.user_id).toBe(user.userId)
      expect(answer.body.refresh_token).not.toBe(refresh_token)
      expect((await service.call('GET', '/me', { token: answer.body.access_token })).status).toBe(200)
      refresh_token = answer.body.refresh_token
    }
  })

  test('ten at once all get the same next token, which works', async () => {
    const user = await service.register('concurrent')
    const { refresh_token } = await service.login(user.email, user.password)
    const answers = await Promise.all(Array.from({ length: 10 }, () => refresh(refresh_token)))
    expect(answers.map((answer) => answer.status)).toEqual(Array.from({ length: 10 }, () => 200))
    const next = new Set(answers.map((answer) => answer.body.refresh_token))
    expect(next.size).toBe(1)
    expect((await refresh([...next][0] ?? '')).status).toBe(200)
  })

  test('a token used again after its next was used ends the session', async () => {
    const user = await service.register('stolen')
    const first = await service.login(user.email, user.password)
    const elsewhere = await service.login(user.email, user.password)
    const second = await refresh(first.refresh_token)
    const third = await refresh(second.body.refresh_token)
    const again = await refresh(first.refresh_token)
    expect([again.status, (again.body as unknown as { code: string }).code]).toEqual([401, 'invalid_refresh_token'])
    expect((await refresh(third.body.refresh_token)).status).toBe(401)
    const me = await service.call('GET', '/me', { token: third.body.access_token })
    expect([me.status, me.body['code']]).toEqual([401, 'unauthenticated'])
    // Only the family that was shared ends.
    expect((await refresh(elsewhere.refresh_token)).status).toBe(200)
  })

  test('a token used again after the moment of grace ends the session', async () => {
    const user = await service.register('graceless')
    const first = await service.login(user.email, user.password)
    const second = await refresh(first.refresh_token)
    await admin.query(`update users.refresh_tokens set rotated_at = rotated_at - interval '11 seconds' where rotated_at is not null`)
    expect((await refresh(first.refresh_token)).status).toBe(401)
    expect((await refresh(second.body.refresh_token)).status).toBe(401)
  })

  test('no token and no password is stored or logged as it is', async () => {
    const password = `secret-${randomBytes(8).toString('hex')}`
    const user = await service.register('secretive', password)
    const tokens = await service.login(user.email, user.password)
    const { rows } = await admin.query<{ dump: string }>(
      `select query_to_xml('select * from users.users', true, false, '')::text || query_to_xml('select * from users.refresh_tokens', true, false, '')::text
         || query_to_xml('select * from users.sessions', true, false, '')::text || query_to_xml('select * from users.audit', true, false, '')::text
         || query_to_xml('select * from users.outbox', true, false, '')::text as dump`,
    )
    const hexOfToken = Buffer.from(tokens.refresh_token, 'base64url').toString('base64')
    for (const text of [rows[0]?.dump ?? '', service.output()])
      for (const secret of [password, tokens.refresh_token, tokens.access_token, hexOfToken]) expect(text.includes(secret)).toBe(false)
    expect(rows[0]?.dump).toContain('$argon2id$v=19$m=19456,t=2,p=1$')
    expect(service.output()).not.toContain('$argon2id$')
  })

  test('unknown, malformed and endless tokens are refused', async () => {
    for (const token of [randomBytes(32).toString('base64url'), 'x', `'; delete from users; --`, 'é'.repeat(100)]) {
      const answer = await refresh(token)
      expect(answer.status).toBe(401)
    }
  })

  test('too many refreshes of a session within a minute are put off', async () => {
    const user = await service.register('refreshing')
    let { refresh_token } = await service.login(user.email, user.password)
    for (let count = 0; count < 30; count++) refresh_token = (await refresh(refresh_token)).body.refresh_token
    const answer = await refresh(refresh_token)
    expect(answer.status).toBe(429)
    await admin.query(`update users.sessions set refresh_window_started_at = now() - interval '2 minutes'`)
    expect((await refresh(refresh_token)).status).toBe(200)
  })
})

describe('sessions', () => {
  test('are listed, and end one by one, by logout, and by a new password', async () => {
    const user = await service.register('sessions')
    const here = await service.login(user.email, user.password)
    const there = await service.login(user.username, user.password)
    const third = await service.login(user.username, user.password)
    type List = { items: { id: string; current: boolean; address: string }[] }
    const list = async (token: string) => (await service.call<List>('GET', '/me/sessions', { token })).body.items
    const sessions = await list(here.access_token)
    expect(sessions.map((session) => session.current)).toEqual([false, false, true])
    expect(sessions[0]?.address).toBe('127.0.0.1')

    const ended = await service.call('DELETE', `/me/sessions/${sessions[1]?.id}`, { token: here.access_token })
    expect(ended.status).toBe(200)
    expect((await service.call('DELETE', `/me/sessions/${sessions[1]?.id}`, { token: here.access_token })).status).toBe(404)
    expect((await service.call('GET', '/me', { token: there.access_token })).status).toBe(401)
    expect((await service.call('POST', '/refresh', { json: { refresh_token: there.refresh_token } })).status).toBe(401)

    // A session of somebody else is not found, and goes on.
    const stranger = await service.register('stranger')
    const strange = await service.login(stranger.email, stranger.password)
    expect((await service.call('DELETE', `/me/sessions/${sessions[0]?.id}`, { token: strange.access_token })).status).toBe(404)
    expect((await service.call('GET', '/me', { token: third.access_token })).status).toBe(200)

    const wrong = await service.call('POST', '/me/password', {
      token: here.access_token,
      json: { current_password: 'wrong', new_password: 'another password' },
    })
    expect([wrong.status, wrong.body['code']]).toEqual([401, 'invalid_credentials'])
    const same = await service.call('POST', '/me/password', {
      token: here.access_token,
      json: { current_password: defaultPassword, new_password: defaultPassword },
    })
    expect(same.status).toBe(400)
    const changed = await service.call('POST', '/me/password', {
      token: here.access_token,
      json: { current_password: defaultPassword, new_password: 'another password' },
    })
    expect(changed.status).toBe(200)
    expect((await service.call('GET', '/me', { token: third.access_token })).status).toBe(401)
    expect((await service.call('GET', '/me', { token: here.access_token })).status).toBe(200)
    expect((await service.call('POST', '/token', { form: { username: user.email, password: defaultPassword } })).status).toBe(401)
    const after = await service.login(user.email, 'another password')

    expect((await service.call('POST', '/logout', { token: after.access_token })).status).toBe(200)
    expect((await service.call('POST', '/refresh', { json: { refresh_token: after.refresh_token } })).status).toBe(401)
    expect((await service.call('GET', '/me', { token: here.access_token })).status).toBe(200)
  })
})

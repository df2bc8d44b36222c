import pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { UserEvent } from '@maru/contracts'
import { openPostgresEventLog, type EventLog } from '@maru/event-log'
import { defaultPassword, startUserService, type RunningUserService } from './start.ts'

let service: RunningUserService
let log: EventLog
let admin: pg.Pool

beforeAll(async () => {
  service = await startUserService()
  log = await openPostgresEventLog({ connectionString: service.database.urls.trading, applicationName: 'test-reader' })
  admin = new pg.Pool({ connectionString: service.database.adminUrl, max: 2 })
  admin.on('error', () => undefined)
})

afterAll(async () => {
  await admin.end()
  await log[Symbol.asyncDispose]()
  await service[Symbol.asyncDispose]()
})

async function events(): Promise<UserEvent[]> {
  const records = await log.read('user-events', 0, { recordsMax: 10_000, bytesMax: 64_000_000 })
  return records.flatMap((record) => JSON.parse(Buffer.from(record.body).toString('utf8')) as UserEvent[])
}

const register = (json: unknown, headers: Record<string, string> = {}) => service.call('POST', '/register', { json, headers })

describe('registration', () => {
  test('creates a user, whose event is on the log before the answer', async () => {
    const answer = await register({ email: 'Ann@Example.com', username: 'Ann', password: defaultPassword })
    expect(answer.status).toBe(201)
    expect(answer.body).toEqual({ message: expect.any(String), user_id: expect.stringMatching(/^[0-9a-f-]{36}$/) })
    const mine = (await events()).filter((event) => event.data.user_id === answer.body['user_id'])
    expect(mine).toEqual([
      {
        id: expect.stringMatching(/^user-\d{12}$/),
        type: 'user.registered',
        v: 1,
        timestamp: expect.any(String),
        data: {
          user_id: answer.body['user_id'],
          email: 'Ann@example.com'.replace('example', 'Example'),
          username: 'Ann',
          roles: [],
          language: 'en',
        },
      },
    ])
  })

  test.each([
    ['the same address', { email: 'ann@example.com', username: 'ann2' }, 'email_taken'],
    ['the address in other case', { email: 'ANN@EXAMPLE.COM', username: 'ann3' }, 'email_taken'],
    ['the address in full-width letters', { email: 'ａnn@example.com', username: 'ann4' }, 'email_taken'],
    ['the same name', { email: 'ann5@example.com', username: 'Ann' }, 'username_taken'],
    ['the name in other case', { email: 'ann6@example.com', username: 'aNN' }, 'username_taken'],
    ['the name in full-width letters', { email: 'ann7@example.com', username: 'Ａnn' }, 'username_taken'],
    ['both', { email: 'ann@example.com', username: 'ann' }, 'email_taken'],
  ])('given %s, then 409', async (_name, given, code) => {
    const answer = await register({ ...given, password: defaultPassword })
    expect([answer.status, answer.body['code']]).toEqual([409, code])
  })

  test('of twenty at once for one name, one succeeds', async () => {
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, index) =>
        register({ email: `race${index}@example.com`, username: 'racer', password: defaultPassword }),
      ),
    )
    expect(answers.filter((answer) => answer.status === 201)).toHaveLength(1)
    expect(answers.filter((answer) => answer.body['code'] === 'username_taken')).toHaveLength(19)
    expect((await events()).filter((event) => event.data.username === 'racer')).toHaveLength(1)
  })

  test('the language comes from the body, else from Accept-Language', async () => {
    await register({ email: 'k1@example.com', username: '길동', password: defaultPassword }, { 'accept-language': 'ko-KR,ko;q=0.9' })
    await register({ email: 'k2@example.com', username: 'k-two', password: defaultPassword, language: 'ko' })
    await register({ email: 'k3@example.com', username: 'k-three', password: defaultPassword, language: 'en' }, { 'accept-language': 'ko' })
    const languages = (await events()).flatMap((event) =>
      /^k\d@/.test('email' in event.data ? event.data.email : '') ? [event.data.language] : [],
    )
    expect(languages).toEqual(['ko', 'ko', 'en'])
  })

  test('a Korean password typed in another normal form is the same password', async () => {
    const password = '비밀번호는 길게 쓴다'
    await register({ email: 'norm@example.com', username: 'norm', password: password.normalize('NFD') })
    await service.login('norm', password.normalize('NFC'))
  })

  test('a profile change is an event too', async () => {
    const user = await service.register('changer')
    const { access_token: token } = await service.login('changer', user.password)
    const answer = await service.call('PATCH', '/me', { token, json: { username: 'Changed', language: 'ko' } })
    expect(answer.status).toBe(200)
    expect(answer.body).toMatchObject({ username: 'Changed', language: 'ko', user_id: user.userId })
    expect((await events()).at(-1)).toMatchObject({
      type: 'user.profile_changed',
      data: { user_id: user.userId, username: 'Changed', language: 'ko' },
    })
    const taken = await service.call('PATCH', '/me', { token, json: { username: 'ann' } })
    expect([taken.status, taken.body['code']]).toEqual([409, 'username_taken'])
    const same = await service.call('PATCH', '/me', { token, json: { username: 'CHANGED' } })
    expect(same.status).toBe(200)
  })
})

describe('bad input', () => {
  const good = { email: 'good@example.com', username: 'good', password: defaultPassword }
  test.each<[string, unknown, string]>([
    ['a number as e-mail', { ...good, email: 7 }, 'email'],
    ['an array as e-mail', { ...good, email: ['a@example.com'] }, 'email'],
    ['an object as password', { ...good, password: { $ne: '' } }, 'password'],
    ['null as name', { ...good, username: null }, 'username'],
    ['a missing password', { email: good.email, username: good.username }, 'password'],
    ['an unknown field', { ...good, roles: ['operator'] }, 'roles'],
    ['a role by another spelling', { ...good, is_admin: true }, 'is_admin'],
    ['a short password', { ...good, password: 'seven77' }, 'password'],
    ['a long password', { ...good, password: 'x'.repeat(129) }, 'password'],
    ['a lone surrogate as password', { ...good, password: '\ud800'.repeat(9) }, 'password'],
    ['SQL as name', { ...good, username: `x'); drop table users; --` }, 'username'],
    ['a system name', { ...good, username: 'system-house' }, 'username'],
    ['a name with a zero-width joiner', { ...good, username: 'go\u200dod' }, 'username'],
    ['a mixed-script name', { ...good, username: 'gооd' }, 'username'],
    ['an address with a line break', { ...good, email: 'good@example.com\nBcc: x@example.com' }, 'email'],
    ['an unknown language', { ...good, language: 'xx' }, 'language'],
  ])('given %s, then 400 naming the field', async (_name, json, field) => {
    const answer = await register(json)
    expect([answer.status, answer.body['code']]).toEqual([400, 'invalid_request'])
    expect((answer.body['errors'] as { path: string }[]).map((error) => error.path)).toContain(field)
    expect(answer.headers.get('content-type')).toContain('application/problem+json')
  })

  test.each<[string, { body: string; type?: string }, number]>([
    ['NUL in the name', { body: JSON.stringify({ ...good, username: 'go\u0000od' }), type: 'application/json' }, 400],
    ['broken JSON', { body: '{"email":', type: 'application/json' }, 400],
    ['an array', { body: '[]', type: 'application/json' }, 400],
    ['a string', { body: '"x"', type: 'application/json' }, 400],
    ['nothing', { body: '', type: 'application/json' }, 400],
    ['a prototype', { body: '{"__proto__":{"email":"a@example.com"}}', type: 'application/json' }, 400],
    ['a wrong content type', { body: 'x', type: 'text/plain' }, 415],
    ['a form', { body: 'email=a', type: 'application/x-www-form-urlencoded' }, 415],
    ['a string of 1 MB', { body: JSON.stringify({ ...good, username: 'x'.repeat(1_000_000) }), type: 'application/json' }, 413],
  ])('given %s, then a clear refusal', async (_name, raw, status) => {
    const answer = await service.call('POST', '/register', { raw })
    expect(answer.status).toBe(status)
    expect(answer.body['code']).toEqual(expect.any(String))
  })

  test.each<[string, Record<string, string>]>([
    ['no password', { username: 'ann' }],
    ['an unknown field', { username: 'ann', password: 'x', role: 'operator' }],
    ['another grant', { username: 'ann', password: 'x', grant_type: 'client_credentials' }],
    ['a password of 1,000 characters', { username: 'ann', password: 'x'.repeat(1_000) }],
  ])('a login with %s is 400', async (_name, form) => {
    const answer = await service.call('POST', '/token', { form })
    expect([answer.status, answer.body['code']]).toEqual([400, 'invalid_request'])
  })

  test('a login as JSON is 415', async () => {
    expect((await service.call('POST', '/token', { json: { username: 'ann', password: 'x' } })).status).toBe(415)
  })

  test('an empty or unknown change of the profile is 400', async () => {
    await service.register('patcher')
    const { access_token: token } = await service.login('patcher', defaultPassword)
    for (const json of [{}, { email: 'x@example.com' }, { username: 'system-x' }, { language: 5 }, []])
      expect((await service.call('PATCH', '/me', { token, json })).status).toBe(400)
  })

  test('nothing of all this has left a user or logged a fault', async () => {
    const { rows } = await admin.query(`select 1 from users.users where email_key like 'good%' or username_key like 'good%'`)
    expect(rows).toHaveLength(0)
    expect(service.output()).not.toContain('request failed')
  })
})

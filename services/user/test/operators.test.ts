import { chmod, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { operator, spawnUserService, startUserService, type RunningUserService } from './start.ts'

let service: RunningUserService
let token: string

beforeAll(async () => {
  service = await startUserService()
  token = (await service.login(operator.email, operator.password)).access_token
})

afterAll(async () => {
  await service[Symbol.asyncDispose]()
})

type List<T> = { items: T[]; next_cursor: string | null }
interface Listed {
  user_id: string
  username: string
}

describe('operators', () => {
  test('the one from the file has the role, once, whichever instance starts, and keeps a changed password', async () => {
    const me = await service.call('GET', '/me', { token })
    expect(me.body).toMatchObject({ email: operator.email, roles: ['operator'] })
    const changed = await service.call('POST', '/me/password', {
      token,
      json: { current_password: operator.password, new_password: 'a changed password' },
    })
    expect(changed.status).toBe(200)
    await using other = await service.another()
    const again = await other.login(operator.email, 'a changed password')
    expect((await other.call('POST', '/token', { form: { username: operator.email, password: operator.password } })).status).toBe(401)
    // Tokens of one instance are good at the other.
    expect((await service.call('GET', '/me', { token: again.access_token })).status).toBe(200)
    const list = await service.call<List<Listed>>('GET', `/users?search=${encodeURIComponent('operator@')}`, { token })
    expect(list.body.items).toHaveLength(1)
  })

  test('list users, newest first, page by page, and find them', async () => {
    for (const name of ['pager_one', 'pager-two', 'pager3']) await service.register(name)
    const seen: string[] = []
    let cursor: string | null = null
    do {
      const page: { body: List<Listed> } = await service.call<List<Listed>>(
        'GET',
        `/users?limit=2${cursor === null ? '' : `&cursor=${cursor}`}`,
        { token },
      )
      seen.push(...page.body.items.map((user) => user.username))
      cursor = page.body.next_cursor
    } while (cursor !== null)
    expect(seen.slice(0, 3)).toEqual(['pager3', 'pager-two', 'pager_one'])
    expect(new Set(seen).size).toBe(seen.length)
    // An underscore is a letter, not a wildcard.
    const found = await service.call<List<Listed>>('GET', '/users?search=PAGER_', { token })
    expect(found.body.items.map((user) => user.username)).toEqual(['pager_one'])
    const odd = await service.call<List<Listed>>('GET', `/users?search=${encodeURIComponent(`%' or 1=1 --`)}`, { token })
    expect(odd.body.items).toEqual([])
    const text = JSON.stringify((await service.call('GET', '/users', { token })).body)
    expect(text).not.toMatch(/argon2|password/)
  })

  test('disable a user: no login, no refresh, no use of a token here; and enable again', async () => {
    const user = await service.register('disabled')
    const tokens = await service.login('disabled', user.password)
    const disabled = await service.call('PUT', `/users/${user.userId}/status`, { token, json: { status: 'disabled' } })
    expect(disabled.body).toMatchObject({ user_id: user.userId, status: 'disabled' })
    for (const answer of [
      await service.call('POST', '/token', { form: { username: 'disabled', password: user.password } }),
      await service.call('POST', '/refresh', { json: { refresh_token: tokens.refresh_token } }),
      await service.call('GET', '/me', { token: tokens.access_token }),
    ])
      expect([answer.status, answer.body['code']]).toEqual([403, 'account_disabled'])
    // With a wrong password nothing is told of the account.
    expect((await service.call('POST', '/token', { form: { username: 'disabled', password: 'wrong password' } })).status).toBe(401)
    await service.call('PUT', `/users/${user.userId}/status`, { token, json: { status: 'active' } })
    await service.login('disabled', user.password)
    expect((await service.call('POST', '/refresh', { json: { refresh_token: tokens.refresh_token } })).status).toBe(401)
  })

  test('give and take the role; who lost it is refused at once', async () => {
    const user = await service.register('deputy')
    await service.call('PUT', `/users/${user.userId}/roles`, { token, json: { roles: ['operator'] } })
    const deputy = await service.login('deputy', user.password)
    expect((await service.call('GET', '/audit', { token: deputy.access_token })).status).toBe(200)
    const taken = await service.call('PUT', `/users/${user.userId}/roles`, { token, json: { roles: [] } })
    expect(taken.body['roles']).toEqual([])
    const refused = await service.call('GET', '/audit', { token: deputy.access_token })
    expect([refused.status, refused.body['code']]).toEqual([403, 'forbidden'])
  })

  test('cannot change themselves, give unknown roles, or change who is not there', async () => {
    const { body: me } = await service.call<Listed>('GET', '/me', { token })
    const answers = [
      [await service.call('PUT', `/users/${me.user_id}/roles`, { token, json: { roles: [] } }), 403, 'forbidden'],
      [await service.call('PUT', `/users/${me.user_id}/status`, { token, json: { status: 'disabled' } }), 403, 'forbidden'],
      [await service.call('PUT', '/users/nobody/roles', { token, json: { roles: [] } }), 404, 'user_not_found'],
      [await service.call('PUT', '/users/nobody/roles', { token, json: { roles: ['root'] } }), 400, 'invalid_request'],
      [await service.call('PUT', '/users/nobody/status', { token, json: { status: 'gone' } }), 400, 'invalid_request'],
      [await service.call('GET', '/users/nobody', { token }), 404, 'user_not_found'],
      [await service.call('GET', `/users/${encodeURIComponent(`x' or '1'='1`)}`, { token }), 400, 'invalid_request'],
      [await service.call('GET', '/users?limit=0', { token }), 400, 'invalid_request'],
      [await service.call('GET', '/users?limit=1e9', { token }), 400, 'invalid_request'],
      [await service.call('GET', '/audit?cursor=abc', { token }), 400, 'invalid_request'],
    ] as const
    for (const [answer, status, code] of answers) expect([answer.status, answer.body['code']]).toEqual([status, code])
  })

  test('what they and users did stands in the audit', async () => {
    const user = await service.register('audited')
    await service.call('PUT', `/users/${user.userId}/status`, {
      token,
      json: { status: 'disabled' },
      headers: { 'x-request-id': 'audit-test' },
    })
    const { body } = await service.call<List<Record<string, unknown>>>('GET', `/audit?subject=${user.userId}`, { token })
    expect(body.items.map((entry) => entry['action'])).toEqual(['user.status_changed', 'user.registered'])
    expect(body.items[0]).toMatchObject({
      data: { before: 'active', after: 'disabled' },
      request_id: 'audit-test',
      actor: expect.any(String),
    })
    const first = await service.call<List<Record<string, unknown>>>('GET', '/audit?limit=1', { token })
    const second = await service.call<List<Record<string, unknown>>>('GET', `/audit?limit=1&cursor=${first.body.next_cursor}`, { token })
    expect(String(second.body.items[0]?.['id']) < String(first.body.items[0]?.['id'])).toBe(true)
  })

  test('ordinary users may do none of it', async () => {
    const user = await service.register('ordinary')
    const { access_token } = await service.login('ordinary', user.password)
    for (const [method, at, json] of [
      ['GET', '/users', undefined],
      ['GET', `/users/${user.userId}`, undefined],
      ['PUT', `/users/${user.userId}/roles`, { roles: ['operator'] }],
      ['PUT', `/users/${user.userId}/status`, { status: 'active' }],
      ['GET', '/audit', undefined],
    ] as const) {
      expect((await service.call(method, at, { token: access_token, json })).status).toBe(403)
      expect((await service.call(method, at, { json })).status).toBe(401)
    }
  })
})

describe('start', () => {
  const env = () => ({ DATABASE_URL: service.database.urls.user, MARU_TOKEN_KEY_FILE: path.join(service.folder, 'token-key.pem') })

  test.each([
    ['without a key file', { MARU_TOKEN_KEY_FILE: '' }, 'MARU_TOKEN_KEY_FILE is required'],
    ['with a key file that is not there', { MARU_TOKEN_KEY_FILE: '/nonexistent/key.pem' }, 'cannot be read'],
    ['with settings at fault', { MARU_PASSWORD_QUEUE_MAX: 'many' }, 'MARU_PASSWORD_QUEUE_MAX must be a whole number'],
  ])('%s it ends and says why', async (_name, faulty, message) => {
    const { exited, output } = spawnUserService({ ...env(), ...faulty })
    const [code] = (await exited) as [number]
    expect(code).toBeGreaterThan(0)
    expect(output()).toContain(message)
  })

  test('with a key that others may read, or no key at all in the file, it ends and quotes nothing of it', async () => {
    const open = path.join(service.folder, 'open.pem')
    await writeFile(open, 'secret-content', { mode: 0o600 })
    const broken = spawnUserService({ ...env(), MARU_TOKEN_KEY_FILE: open })
    await broken.exited
    expect(broken.output()).toContain('holds no private key')
    expect(broken.output()).not.toContain('secret-content')
    await chmod(open, 0o644)
    const readable = spawnUserService({ ...env(), MARU_TOKEN_KEY_FILE: open })
    await readable.exited
    expect(readable.output()).toContain('open to others')
  })
})

import { randomBytes } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createPool } from '@maru/service-host'
import { openSecret, sealSecret } from '../api-keys/sealed-secret.ts'
import { spawnUserService, startUserService, type RunningUserService } from './start.ts'

interface Key {
  id: string
  secret: string
  label: string
  scopes: string[]
  addresses: string[]
  expires_at: string | null
}

let service: RunningUserService
let folder: string
let token: string
let password: string
const gatewayKey = randomBytes(32)
const authorization = `Maru-Gateway ${gatewayKey.toString('base64url')}`

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'maru-keys-'))
  for (const [name, key] of [
    ['gateway.key', gatewayKey],
    ['api-keys.key', randomBytes(32)],
  ] as const)
    await writeFile(path.join(folder, name), `${key.toString('base64url')}\n`, { mode: 0o600 })
  service = await startUserService({
    MARU_LOGIN_ATTEMPTS_MAX: '1000',
    MARU_GATEWAY_KEY_FILE: path.join(folder, 'gateway.key'),
    MARU_API_KEYS_KEY_FILE: path.join(folder, 'api-keys.key'),
  })
  const user = await service.register('keeper')
  password = user.password
  token = (await service.login(user.username, password)).access_token
})
afterAll(async () => {
  await service[Symbol.asyncDispose]()
  await rm(folder, { recursive: true, force: true })
})

const make = (more: Record<string, unknown> = {}, by = token) =>
  service.call<Key & { code?: string; errors?: { path: string }[] }>('POST', '/me/api-keys', {
    token: by,
    json: { label: 'bot', scopes: ['read'], password, ...more },
  })

describe('API keys', () => {
  test('are made with the password, shown once, listed, renamed and revoked, all of it in the audit', async () => {
    const made = await make({
      label: ' night bot ',
      scopes: ['read', 'trade'],
      addresses: ['203.0.113.0/24'],
      expires_at: '2030-01-31T12:00:00Z',
    })
    expect(made.status).toBe(201)
    expect(made.headers.get('cache-control')).toBe('no-store')
    const { secret, ...shown } = made.body
    expect(shown).toMatchObject({
      label: 'night bot',
      scopes: ['read', 'trade'],
      expires_at: '2030-01-31T12:00:00.000Z',
      last_used_at: null,
    })
    const listed = await service.call<{ items: Key[] }>('GET', '/me/api-keys', { token })
    expect(listed.body.items).toContainEqual(shown)
    const path = `/me/api-keys/${shown.id}`
    expect((await service.call('PATCH', path, { token, json: { label: 'day bot' } })).body).toMatchObject({ label: 'day bot' })
    expect((await service.call('DELETE', path, { token })).status).toBe(200)
    for (const method of ['DELETE', 'PATCH'] as const)
      expect((await service.call(method, path, { token, ...(method === 'PATCH' ? { json: { label: 'x' } } : {}) })).status).toBe(404)

    const pool = createPool(service.database.adminUrl, { applicationName: 'test', max: 1, onError: () => undefined })
    const { rows } = await pool.query<{ action: string }>(`select action from users.audit where data->>'key_id' = $1 order by id`, [
      shown.id,
    ])
    expect(rows.map(({ action }) => action)).toEqual(['api_key.created', 'api_key.renamed', 'api_key.revoked'])
    // At rest it is sealed, and no log has it.
    const { rows: kept } = await pool.query<{ row: string }>('select k::text as row from users.api_keys k')
    const { rows: audited } = await pool.query<{ row: string }>('select a::text as row from users.audit a')
    await pool.end()
    const hex = Buffer.from(secret).toString('hex')
    for (const { row } of [...kept, ...audited]) for (const form of [secret, hex]) expect(row).not.toContain(form)
    expect(service.output()).not.toContain(secret)
  })

  test('are refused without the password, and where the wish is none', async () => {
    expect(await make({ password: 'not it at all' })).toMatchObject({ status: 401, body: { code: 'invalid_credentials' } })
    const faults: [Record<string, unknown>, string][] = [
      [{ scopes: [] }, 'scopes'],
      [{ scopes: ['admin'] }, 'scopes.0'],
      [{ addresses: ['somewhere'] }, 'addresses.0'],
      [{ addresses: ['10.0.0.1', '10.0.0.0/33'] }, 'addresses.1'],
      [{ expires_at: '2001-01-01T00:00:00Z' }, 'expires_at'],
      [{ expires_at: 'tomorrow at about noon' }, 'expires_at'],
      [{ label: '  ' }, 'label'],
      [{ label: 'a\nb' }, 'label'],
    ]
    for (const [more, at] of faults) {
      const { status, body } = await make(more)
      expect([more, status, body.errors?.[0]?.path]).toEqual([more, 400, at])
    }
  })

  test('of a user are twenty at most, however many are asked for at once', async () => {
    const user = await service.register('hoarder')
    const by = (await service.login(user.username, user.password)).access_token
    const answers = await Promise.all(Array.from({ length: 22 }, () => make({}, by)))
    expect(answers.map(({ status }) => status).sort((a, b) => a - b)).toEqual([...Array<number>(20).fill(201), 409, 409])
    expect(answers.find(({ status }) => status === 409)?.body.code).toBe('api_key_limit')
    const last = answers.find(({ status }) => status === 201)!.body.id
    expect((await service.call('DELETE', `/me/api-keys/${last}`, { token: by })).status).toBe(200)
    expect((await make({}, by)).status).toBe(201)
    // Nobody reaches those of another.
    expect(
      (
        await service.call('DELETE', `/me/api-keys/${answers.find(({ status, body }) => status === 201 && body.id !== last)!.body.id}`, {
          token,
        })
      ).status,
    ).toBe(404)
  })

  test('are handed out to the gateway alone, while they are good and their user is', async () => {
    const user = await service.register('leaver')
    const by = (await service.login(user.username, user.password)).access_token
    const { id, secret } = (await make({}, by)).body
    const ask = (headers: Record<string, string> = { authorization }) => service.call('GET', `/internal/api-keys/${id}`, { headers })
    expect(await ask()).toMatchObject({ status: 200, body: { secret, user_id: user.userId, scopes: ['read'] } })
    for (const wrong of [
      {},
      { authorization: 'Maru-Gateway x' },
      { authorization: `Bearer ${by}` },
      { authorization: `${authorization}A` },
    ])
      expect((await ask(wrong as Record<string, string>)).status).toBe(404)
    // The key of the gateway opens nothing else.
    expect((await service.call('GET', '/me/api-keys', { headers: { authorization } })).status).toBe(401)
    const operator = (await service.login('operator@example.com', 'correct horse battery')).access_token
    await service.call('PUT', `/users/${user.userId}/status`, { token: operator, json: { status: 'disabled' } })
    expect((await ask()).status).toBe(404)
  })
})

test('a secret opens with its key, for its id, unchanged, and else not', () => {
  const [key, other] = [randomBytes(32), randomBytes(32)]
  const sealed = sealSecret('hush', 'mk_1', key)
  expect(openSecret(sealed, 'mk_1', key)).toBe('hush')
  expect(sealSecret('hush', 'mk_1', key).equals(sealed)).toBe(false)
  expect(() => openSecret(sealed, 'mk_2', key)).toThrow(/authenticate|form/)
  expect(() => openSecret(sealed, 'mk_1', other)).toThrow(/authenticate|form/)
  for (let at = 0; at < sealed.length; at += 1) {
    const changed = Buffer.from(sealed)
    changed[at]! ^= 1
    expect(() => openSecret(changed, 'mk_1', key)).toThrow(/authenticate|form/)
  }
})

test.each([
  ['open to others', 0o644, randomBytes(32).toString('base64url')],
  ['too short', 0o600, 'c2hvcnQ'],
])('a key file that is %s ends the start with what to do', async (_name, mode, text) => {
  const file = path.join(folder, `bad-${mode}`)
  await writeFile(file, text, { mode })
  const { output, ready } = spawnUserService({
    DATABASE_URL: service.database.urls.user,
    MARU_TOKEN_KEY_FILE: path.join(service.folder, 'token-key.pem'),
    MARU_GATEWAY_KEY_FILE: file,
  })
  await expect(ready).rejects.toThrow('MARU_GATEWAY_KEY_FILE')
  expect(output()).toContain('openssl rand 32')
  expect(output()).not.toContain(text)
})

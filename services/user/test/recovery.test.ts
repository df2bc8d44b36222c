import { generateKeyPairSync } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { expect, test } from 'vitest'
import type { UserEvent } from '@maru/contracts'
import { openPostgresEventLog } from '@maru/event-log'
import { startTestServer } from '../../../test/support/postgres.ts'
import { spawnUserService } from './start.ts'

test('given PostgreSQL killed -9 amid registrations, then the same process goes on, and who was told "registered" is on the log once', async () => {
  await using database = await startTestServer()
  const folder = await mkdtemp(path.join(tmpdir(), 'maru-user-'))
  const key = path.join(folder, 'token-key.pem')
  await writeFile(key, generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 })
  const service = spawnUserService({ DATABASE_URL: database.urls.user, MARU_TOKEN_KEY_FILE: key, MARU_LOG_LEVEL: 'fatal' })
  try {
    const url = await service.ready
    const told: string[] = []
    const statuses: number[] = []
    const register = async (name: string): Promise<void> => {
      const json = JSON.stringify({ email: `${name}@example.com`, username: name, password: 'a long enough password' })
      const answer = await fetch(`${url}/register`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: json })
      statuses.push(answer.status)
      if (answer.status === 201) told.push(((await answer.json()) as { user_id: string }).user_id)
    }
    const calls = Array.from({ length: 40 }, (_, index) => register(`amid${index}`))
    await expect.poll(() => told.length, { timeout: 20_000, interval: 5 }).toBeGreaterThan(4)
    await database.kill()
    await Promise.all(calls)
    await database.start()
    await expect
      .poll(
        async () => {
          await register(`after${statuses.length}`)
          return statuses.at(-1)
        },
        { timeout: 60_000, interval: 100 },
      )
      .toBe(201)
    expect(service.child.exitCode).toBeNull()
    await using log = await openPostgresEventLog({ connectionString: database.urls.trading, applicationName: 'test-reader' })
    const onLog = async (): Promise<string[]> => {
      const records = await log.read('user-events', 0, { recordsMax: 10_000, bytesMax: 64_000_000 })
      return records
        .flatMap((record) => JSON.parse(Buffer.from(record.body).toString('utf8')) as UserEvent[])
        .map((event) => event.data.user_id)
    }
    // An answer waits a second at most for its event, which may then be a little late, but never lost.
    await expect
      .poll(
        async () => {
          const ids = new Set(await onLog())
          return told.filter((userId) => !ids.has(userId))
        },
        { timeout: 20_000, interval: 100 },
      )
      .toEqual([])
    const ids = await onLog()
    expect(new Set(ids).size).toBe(ids.length)
    expect(statuses.filter((status) => ![201, 503].includes(status))).toEqual([])
  } finally {
    service.child.kill('SIGTERM')
    await service.exited
    await rm(folder, { recursive: true, force: true })
  }
}, 90_000)

import { spawn, type ChildProcess } from 'node:child_process'
import { generateKeyPairSync } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { createTestDatabase, type TestDatabase } from '../../../test/support/postgres.ts'
import { bareEnvironment } from '../../../test/support/bare-environment.ts'

export const operator = { email: 'operator@example.com', password: 'correct horse battery' }

export interface Answer<T = Record<string, unknown>> {
  status: number
  headers: Headers
  body: T
}

/** The user service as a real process on a database of its own, called by real HTTP. */
export interface RunningUserService extends AsyncDisposable {
  readonly database: TestDatabase
  readonly url: string
  readonly folder: string
  readonly child: ChildProcess
  /** Everything the process has printed. */
  output(): string
  call<T = Record<string, unknown>>(method: string, path: string, options?: CallOptions): Promise<Answer<T>>
  register(name: string, password?: string): Promise<{ userId: string; email: string; username: string; password: string }>
  /** Logs in; throws when refused. */
  login(username: string, password: string): Promise<Tokens>
  /** Another instance on the same database and key. */
  another(): Promise<RunningUserService>
}

export interface CallOptions {
  token?: string | undefined
  json?: unknown
  form?: Record<string, string>
  raw?: { body: string | Uint8Array; type?: string }
  headers?: Record<string, string>
}

export interface Tokens {
  access_token: string
  refresh_token: string
  expires_in: number
  token_type: string
  user_id: string
  email: string
}

export const defaultPassword = 'a long enough password'

async function makeSecrets(): Promise<string> {
  const folder = await mkdtemp(path.join(tmpdir(), 'maru-user-'))
  const pem = generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' })
  await writeFile(path.join(folder, 'token-key.pem'), pem, { mode: 0o600 })
  await writeFile(path.join(folder, 'operator.json'), JSON.stringify(operator), { mode: 0o600 })
  return folder
}

/** Starts it and waits until it takes requests. */
export async function startUserService(env: Record<string, string> = {}): Promise<RunningUserService> {
  const database = await createTestDatabase()
  const folder = await makeSecrets()
  return startOn(database, folder, env, async () => {
    await database[Symbol.asyncDispose]()
    await rm(folder, { recursive: true, force: true })
  })
}

/** Runs `main.ts` with these settings; `ready` rejects when it ends before it is. */
export function spawnUserService(env: Record<string, string>) {
  const main = fileURLToPath(new URL('../main.ts', import.meta.url))
  const child = spawn(process.execPath, [main], {
    env: { ...bareEnvironment, ...env },
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  })
  let output = ''
  const take = (chunk: Buffer) => (output += chunk.toString('utf8'))
  child.stdout?.on('data', take)
  child.stderr?.on('data', take)
  const exited = once(child, 'exit')
  const ready = Promise.race([
    new Promise<string>((resolve) => child.on('message', (message) => resolve((message as { url: string }).url))),
    exited.then(([code]) => Promise.reject(new Error(`the service ended with ${String(code)}:\n${output}`))),
  ])
  // A test that expects the process to end does not wait for it to be ready.
  ready.catch(() => undefined)
  return { child, output: () => output, exited, ready }
}

async function startOn(
  database: TestDatabase,
  folder: string,
  env: Record<string, string>,
  cleanUp: () => Promise<void>,
): Promise<RunningUserService> {
  const { child, output, exited, ready } = spawnUserService({
    DATABASE_URL: database.urls.user,
    MARU_TOKEN_KEY_FILE: path.join(folder, 'token-key.pem'),
    MARU_OPERATOR_FILE: path.join(folder, 'operator.json'),
    MARU_LOG_LEVEL: 'debug',
    ...env,
  })
  const url = await ready
  const service: RunningUserService = {
    database,
    url,
    folder,
    child,
    output,
    async call<T>(method: string, at: string, options: CallOptions = {}): Promise<Answer<T>> {
      const { body, type } = encode(options)
      const answer = await fetch(`${url}${at}`, {
        method,
        headers: {
          ...(type === undefined ? {} : { 'content-type': type }),
          ...(options.token === undefined ? {} : { authorization: `Bearer ${options.token}` }),
          ...options.headers,
        },
        ...(body === undefined ? {} : { body: body as NonNullable<RequestInit['body']> }),
      })
      const text = await answer.text()
      return { status: answer.status, headers: answer.headers, body: (text === '' ? undefined : JSON.parse(text)) as T }
    },
    async register(name, password = defaultPassword) {
      const email = `${name}@example.com`
      const answer = await service.call<{ user_id: string }>('POST', '/register', { json: { email, username: name, password } })
      if (answer.status !== 201) throw new Error(`register: ${answer.status} ${JSON.stringify(answer.body)}`)
      return { userId: answer.body.user_id, email, username: name, password }
    },
    async login(username, password) {
      const answer = await service.call<Tokens>('POST', '/token', { form: { username, password } })
      if (answer.status !== 200) throw new Error(`token: ${answer.status} ${JSON.stringify(answer.body)}`)
      return answer.body
    },
    another: () => startOn(database, folder, env, () => Promise.resolve()),
    async [Symbol.asyncDispose]() {
      if (child.exitCode === null && child.signalCode === null) {
        child.kill('SIGTERM')
        await exited
      }
      await cleanUp()
    },
  }
  return service
}

function encode(options: CallOptions): { body?: string | Uint8Array; type?: string } {
  if (options.raw) return { body: options.raw.body, ...(options.raw.type === undefined ? {} : { type: options.raw.type }) }
  if (options.form) return { body: new URLSearchParams(options.form).toString(), type: 'application/x-www-form-urlencoded' }
  if (options.json !== undefined) return { body: JSON.stringify(options.json), type: 'application/json' }
  return {}
}

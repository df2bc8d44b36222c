import { fork, type ChildProcess } from 'node:child_process'
import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Client } from './client.ts'
import type { TestDatabase as Database } from './postgres.ts'
import { bareEnvironment } from './bare-environment.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const readyWithinMs = 60_000

type ServiceName = 'trading' | 'user' | 'market-data' | 'notification' | 'analytics'

/** One service as its own process, as the supervisor would start it. */
export interface ServiceProcess extends AsyncDisposable {
  readonly url: string
  readonly child: ChildProcess
  readonly exited: Promise<void>
  kill(): Promise<void>
}

export async function startServiceProcess(
  name: ServiceName,
  databaseUrl: string,
  env: Record<string, string> = {},
  entry = 'main.ts',
): Promise<ServiceProcess> {
  const child = fork(path.join(root, 'services', name, entry), [], {
    env: { ...bareEnvironment, DATABASE_URL: databaseUrl, MARU_LOG_LEVEL: 'warn', MARU_STRICT_REPLIES: 'yes', ...env },
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  })
  let output = ''
  child.stdout?.on('data', (chunk: Buffer) => (output += chunk.toString('utf8')))
  child.stderr?.on('data', (chunk: Buffer) => (output += chunk.toString('utf8')))
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  const url = await new Promise<string>((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`${name} was not ready in time:\n${output}`)), readyWithinMs)
    child.on('message', (message) => {
      const { type, url: readyUrl } = message as { type?: string; url?: string }
      if (type !== 'ready' || readyUrl === undefined) return
      clearTimeout(timer)
      resolve(readyUrl)
    })
    child.once('exit', (code) => {
      clearTimeout(timer)
      reject(new Error(`${name} ended with ${code}:\n${output}`))
    })
  })
  return {
    url,
    child,
    exited,
    async kill() {
      child.kill('SIGKILL')
      await exited
    },
    async [Symbol.asyncDispose]() {
      if (child.exitCode !== null || child.signalCode !== null) return
      child.kill('SIGTERM')
      const timer = setTimeout(() => child.kill('SIGKILL'), 10_000)
      await exited
      clearTimeout(timer)
    },
  }
}

/** Two at the same time, which halves the wait for them; they end together too. */
export async function startTwo(start: () => Promise<ServiceProcess>): Promise<[ServiceProcess, ServiceProcess] & AsyncDisposable> {
  const [one, two] = await Promise.allSettled([start(), start()])
  const ready = [one, two].flatMap((started) => (started.status === 'fulfilled' ? [started.value] : []))
  const end = async (): Promise<void> => {
    await Promise.all(ready.map(async (service) => service[Symbol.asyncDispose]()))
  }
  if (one.status === 'fulfilled' && two.status === 'fulfilled')
    return Object.assign([one.value, two.value] as [ServiceProcess, ServiceProcess], { [Symbol.asyncDispose]: end })
  await end()
  throw one.status === 'rejected' ? one.reason : (two as PromiseRejectedResult).reason
}

export interface UserSide extends AsyncDisposable {
  readonly service: ServiceProcess
  readonly operator: { email: string; password: string }
  /** By which it knows a gateway. */
  readonly gatewayKey: Buffer
}

/** The real user service with a signing key and an operator of its own. */
export async function startUserService(database: Database): Promise<UserSide> {
  const folder = await mkdtemp(path.join(tmpdir(), 'maru-user-'))
  const operator = { email: 'operator@maru.localhost', password: randomBytes(12).toString('base64url') }
  const keyFile = path.join(folder, 'token-key.pem')
  const operatorFile = path.join(folder, 'operator.json')
  await writeFile(keyFile, generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 })
  await writeFile(operatorFile, JSON.stringify(operator), { mode: 0o600 })
  const gatewayKey = randomBytes(32)
  const sharedKey = async (name: string, key: Buffer): Promise<string> => {
    await writeFile(path.join(folder, name), key.toString('base64url'), { mode: 0o600 })
    return path.join(folder, name)
  }
  const service = await startServiceProcess('user', database.urls.user, {
    MARU_TOKEN_KEY_FILE: keyFile,
    MARU_OPERATOR_FILE: operatorFile,
    MARU_API_KEYS_KEY_FILE: await sharedKey('api-keys.key', randomBytes(32)),
    MARU_GATEWAY_KEY_FILE: await sharedKey('gateway.key', gatewayKey),
  })
  return {
    service,
    operator,
    gatewayKey,
    async [Symbol.asyncDispose]() {
      await service[Symbol.asyncDispose]()
      await rm(folder, { recursive: true, force: true })
    },
  }
}

/** Logs in at the user service itself, whose paths have no `/api/user` before them. */
export async function logInAt(userService: ServiceProcess, client: Client, username: string, password: string): Promise<void> {
  const answer = await fetch(`${userService.url}/token`, { method: 'POST', body: new URLSearchParams({ username, password }) })
  const body = (await answer.json()) as { access_token: string; user_id: string }
  if (answer.status !== 200) throw new Error(`token: ${answer.status} ${JSON.stringify(body)}`)
  client.token = body.access_token
  client.userId = body.user_id
}

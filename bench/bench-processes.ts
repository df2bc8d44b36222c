import { fork, type ChildProcess } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { startPostgres } from '@maru/postgres-server'
import { bootstrapDatabase } from '@maru/service-host/bootstrap'
import { roleOf, serviceKeys, type ServiceKey } from '@maru/service-host/names'
import { exchangeRuntime, gatewayRuntime, plainRuntime } from '@maru/service-host/runtime'

const root = fileURLToPath(new URL('..', import.meta.url))
const readyMaxMs = 30_000

/** A PostgreSQL of its own, bootstrapped, for a benchmark. */
export interface BenchDatabase extends AsyncDisposable {
  readonly urls: Record<ServiceKey, string>
}

export async function startBenchDatabase(): Promise<BenchDatabase> {
  const folder = await mkdtemp(path.join(tmpdir(), 'maru-bench-'))
  const server = await startPostgres({ dataFolder: path.join(folder, 'postgres') })
  const passwords = Object.fromEntries(serviceKeys.map((service) => [roleOf(service), randomBytes(16).toString('hex')]))
  const urls = await bootstrapDatabase({ adminUrl: server.adminUrl, passwords })
  return {
    urls,
    async [Symbol.asyncDispose]() {
      await server.stop()
      await rm(folder, { recursive: true, force: true })
    },
  }
}

export interface BenchProcess extends AsyncDisposable {
  readonly url: string
  readonly pid: number
  readonly child: ChildProcess
}

/**
 * Forks a script of the project (`services/gateway/main.ts`) and waits until it says that it is ready or, where `listensAt` is given,
 * until `/health/live` answers there (a gateway is ready only once every service is).
 */
export async function startBenchProcess(
  script: string,
  env: Record<string, string>,
  listensAt?: string,
  execArgv: readonly string[] = [],
): Promise<BenchProcess> {
  const runtime = script.startsWith('services/trading/')
    ? exchangeRuntime
    : script.startsWith('services/gateway/')
      ? gatewayRuntime
      : plainRuntime
  const child = fork(path.join(root, script), [], {
    execArgv: [...runtime.execArgv, ...execArgv],
    env: { PATH: process.env['PATH'] ?? '', MARU_LOG_LEVEL: 'error', ...env, ...runtime.environment },
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  })
  const timer = setTimeout(() => child.kill('SIGKILL'), readyMaxMs)
  try {
    const url = await new Promise<string>((resolve, reject) => {
      if (listensAt === undefined) child.on('message', (message) => resolve((message as { url: string }).url))
      else void untilLive(listensAt, child).then(() => resolve(listensAt))
      child.once('exit', (code, signal) => reject(new Error(`${script} ended with ${code ?? signal}`)))
    })
    return { url, pid: child.pid as number, child, [Symbol.asyncDispose]: () => end(child) }
  } finally {
    clearTimeout(timer)
  }
}

async function untilLive(url: string, child: ChildProcess): Promise<void> {
  while (child.exitCode === null && child.signalCode === null) {
    const live = await fetch(`${url}/health/live`).then(
      (answer) => answer.ok,
      () => false,
    )
    if (live) return
    await sleep(20)
  }
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exited = once(child, 'exit')
  child.kill('SIGTERM')
  const timer = setTimeout(() => child.kill('SIGKILL'), 12_000)
  await exited
  clearTimeout(timer)
}

/** A port that nobody listens at, a moment ago. */
export async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}

import { spawn, type ChildProcess } from 'node:child_process'
import { randomInt } from 'node:crypto'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../..', import.meta.url))
const readyWithinMs = 90_000
const stopWithinMs = 30_000

/** The whole platform as a user starts it: the supervisor and all it spawns, as real processes. */
export interface Platform extends AsyncDisposable {
  readonly url: string
  readonly home: string
  readonly supervisor: ChildProcess
  /** What the supervisor has printed so far. */
  output(): string
  /** Operator's login, made at the first start. */
  operator(): Promise<{ email: string; password: string }>
  /** Live instances as the gateway sees them. */
  services(): Promise<{ service: string; pid: number; state: string; url: string }[]>
  /** SIGTERM, and waits for the end; returns the exit code. */
  stop(): Promise<number | null>
}

/**
 * A port that is free, and that nobody is given by chance until it is used: from below those that systems choose for who asks for any port, as other tests do
 * all the time.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(20_000, 32_000)
    const server = createServer()
    const isFree = await new Promise<boolean>((resolve) => {
      server.once('error', () => resolve(false))
      server.listen({ port, host: '127.0.0.1', exclusive: true }, () => resolve(true))
    })
    if (!isFree) continue
    await new Promise((resolve) => server.close(resolve))
    return port
  }
}

/** Starts it on its own home and port and waits for the ready line. Pass `home` to go on with the data of an earlier run. */
export async function startPlatform(options: { env?: Record<string, string>; home?: string } = {}): Promise<Platform> {
  const home = options.home ?? (await mkdtemp(path.join(tmpdir(), 'maru-platform-')))
  const port = await freePort()
  const env = { ...process.env, MARU_HOME: home, MARU_PORT: String(port), MARU_MARKET_DATA: 'synthetic:7', ...options.env }
  const supervisor = spawn(process.execPath, [path.join(root, 'apps/cli/main.ts'), 'start'], {
    cwd: root,
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  const exited = new Promise<number | null>((resolve) => supervisor.once('exit', (code) => resolve(code)))
  const ready = new Promise<void>((resolve, reject) => {
    const take = (chunk: Buffer): void => {
      output += chunk.toString('utf8')
      if (output.includes('Maru is ready at')) resolve()
    }
    supervisor.stdout.on('data', take)
    supervisor.stderr.on('data', take)
    void exited.then((code) => reject(new Error(`the platform ended with ${code} before it was ready:\n${output}`)))
    setTimeout(() => reject(new Error(`the platform was not ready in time:\n${output}`)), readyWithinMs).unref()
  })
  try {
    await ready
  } catch (error) {
    supervisor.kill('SIGKILL')
    throw error
  }
  const url = `http://127.0.0.1:${port}`
  const platform: Platform = {
    url,
    home,
    supervisor,
    output: () => output,
    operator: async () => JSON.parse(await readFile(path.join(home, 'operator.json'), 'utf8')) as { email: string; password: string },
    async services() {
      const answer = await fetch(`${url}/health/services`)
      const body = (await answer.json()) as { items?: unknown[] } | unknown[]
      return (Array.isArray(body) ? body : (body.items ?? [])) as { service: string; pid: number; state: string; url: string }[]
    },
    async stop() {
      if (supervisor.exitCode === null && supervisor.signalCode === null) {
        supervisor.kill('SIGTERM')
        const timer = setTimeout(() => supervisor.kill('SIGKILL'), stopWithinMs)
        await exited
        clearTimeout(timer)
      }
      return exited
    },
    async [Symbol.asyncDispose]() {
      await platform.stop()
      if (options.home === undefined) await rm(home, { recursive: true, force: true })
    },
  }
  return platform
}

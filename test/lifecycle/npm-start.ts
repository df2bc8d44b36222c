import { spawn, type ChildProcess } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import path from 'node:path'

const root = path.resolve(import.meta.dirname, '../..')
const readyMaxMs = 90_000

/** `npm start` as a person runs it: npm, its shell if any, the supervisor, and all below. */
export interface NpmStart {
  readonly npm: ChildProcess
  readonly url: string
  readonly home: string
  /** Lines of standard output, those of npm itself left out. */
  lines(): string[]
  errors(): string
  /** Resolves with the address of the ready line; rejects with all output when it ends before. */
  ready(): Promise<string>
  /** Resolves when npm has ended. */
  readonly ended: Promise<{ code: number | null; signal: NodeJS.Signals | null }>
}

/** In a process group of its own, as a shell with job control starts it. */
export function npmStart(home: string, port: number, environment: Record<string, string> = {}): NpmStart {
  const npm = spawn('npm', ['start'], {
    cwd: root,
    env: { ...process.env, MARU_MARKET_DATA: 'synthetic:7', ...environment, MARU_HOME: home, MARU_PORT: String(port) },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  })
  let output = ''
  let errors = ''
  npm.stdout.setEncoding('utf8').on('data', (chunk: string) => (output += chunk))
  npm.stderr.setEncoding('utf8').on('data', (chunk: string) => (errors += chunk))
  const ended = new Promise<{ code: number | null; signal: NodeJS.Signals | null }>((resolve) =>
    npm.once('close', (code, signal) => resolve({ code, signal })),
  )
  let over = false
  void ended.then(() => (over = true))
  const lines = (): string[] => output.split('\n').filter((line) => line !== '' && !line.startsWith('>'))
  return {
    npm,
    home,
    url: `http://127.0.0.1:${port}`,
    lines,
    errors: () => errors,
    ended,
    async ready() {
      for (const end = Date.now() + readyMaxMs; Date.now() < end && !over; await pause()) {
        const address = /^Maru is ready at (http:\S+)/.exec(lines()[0] ?? '')?.[1]
        if (address !== undefined) return address
      }
      throw new Error(`npm start was not ready:\n${output}\n${errors}`)
    },
  }
}

/** A command of `maru` on a home, as a person gives it. */
export function maru(
  home: string,
  parameters: readonly string[],
  environment: Readonly<Record<string, string>> = {},
): { output(): string; ended: Promise<number | null> } {
  const child = spawn(process.execPath, [path.join(root, 'apps/cli/maru.mjs'), ...parameters], {
    cwd: root,
    env: { ...process.env, MARU_HOME: home, ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (chunk: string) => (output += chunk))
  return { output: () => output, ended: new Promise((resolve) => child.once('close', resolve)) }
}

interface Processes {
  supervisor: number
  services: number[]
  /** Of processes that stand by for a service. */
  standbys: number[]
  postgres: number
}

/** Pids of everything that belongs to a home. */
export async function processesOf(home: string): Promise<Processes> {
  const read = async (file: string): Promise<string> => readFile(path.join(home, file), 'utf8')
  const supervisor = (JSON.parse(await read('supervisor.lock')) as { pid: number }).pid
  const all = Object.values(JSON.parse(await read('processes.json')) as Record<string, { name: string; pid: number }>)
  const pids = (standBy: boolean): number[] => all.filter(({ name }) => name.endsWith(' standby') === standBy).map(({ pid }) => pid)
  return {
    supervisor,
    services: pids(false),
    standbys: pids(true),
    postgres: Number((await read('postgres/postmaster.pid')).split('\n')[0]),
  }
}

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    // ESRCH: it has ended.
    return false
  }
}

export async function isFree(port: number): Promise<boolean> {
  const server = createServer()
  const free = await new Promise<boolean>((resolve) => {
    server.once('error', () => resolve(false))
    server.listen({ port, host: '127.0.0.1', exclusive: true }, () => resolve(true))
  })
  await new Promise((resolve) => server.close(resolve))
  return free
}

/** Waits until the condition holds; fails, saying what was awaited, after a bound that only a fault reaches. */
export async function until(what: string, condition: () => boolean | Promise<boolean>, boundMs = 40_000): Promise<void> {
  for (const end = Date.now() + boundMs; !(await condition()); await pause()) {
    if (Date.now() > end) throw new Error(`in vain awaited: ${what}`)
  }
}

function pause(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 50))
}

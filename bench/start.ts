import { spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { startPostgres } from '@maru/postgres-server'
import { memoryMb, processTree } from './process-memory.ts'
import { benchRow, median, type BenchRow } from './report.ts'

const rounds = 3
const readyMaxMs = 120_000
const stopMaxMs = 30_000

/** Time until the platform has settled, before its memory is measured. */
const settleMs = 5_000

interface Started {
  seconds: number
  memoryMb: number
}

/**
 * `npm start` until the ready line, on a fresh home and again on the same, and the memory of all its processes when idle; each
 * beside PostgreSQL alone, started the same way. Memory is read from /proc, so that it is stated on Linux only.
 */
export async function run(): Promise<BenchRow[]> {
  const samples = { first: [] as Started[], again: [] as Started[], databaseFirst: [] as Started[], databaseAgain: [] as Started[] }
  for (let round = 0; round < rounds; round += 1) {
    const folder = await mkdtemp(path.join(tmpdir(), 'maru-bench-start-'))
    try {
      samples.databaseFirst.push(await startDatabase(folder))
      samples.first.push(await startPlatform(folder))
      samples.databaseAgain.push(await startDatabase(folder))
      samples.again.push(await startPlatform(folder))
    } finally {
      await rm(folder, { recursive: true, force: true })
    }
  }
  const seconds = (started: readonly Started[]): number => median(started.map((sample) => sample.seconds))
  const memory = (started: readonly Started[]): number => median(started.map((sample) => sample.memoryMb))
  const rows = [
    benchRow({
      name: 'start: npm start to ready, first time',
      unit: 's',
      value: seconds(samples.first),
      baseline: { name: 'PostgreSQL alone', value: seconds(samples.databaseFirst) },
      target: { of: 'value', is: 'at most', bound: 15 },
    }),
    benchRow({
      name: 'start: npm start to ready, again',
      unit: 's',
      value: seconds(samples.again),
      baseline: { name: 'PostgreSQL alone', value: seconds(samples.databaseAgain) },
      target: { of: 'value', is: 'at most', bound: 6 },
    }),
  ]
  if (process.platform === 'linux') {
    const baseline = { name: 'PostgreSQL alone', value: memory(samples.databaseAgain) }
    rows.push(benchRow({ name: 'start: idle memory of all processes (PSS)', unit: 'MB', value: memory(samples.again), baseline }))
  }
  return rows
}

async function startPlatform(folder: string): Promise<Started> {
  const port = await freePort()
  const startedAtMs = performance.now()
  const root = path.resolve(import.meta.dirname, '..')
  const npm = spawn('npm', ['start'], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, MARU_HOME: path.join(folder, 'home'), MARU_PORT: String(port) },
  })
  const ended = new Promise<number | null>((resolve) => npm.once('exit', resolve))
  let output = ''
  try {
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`not ready after ${readyMaxMs} ms:\n${output}`)), readyMaxMs)
      const take = (chunk: Buffer): void => {
        output += chunk.toString('utf8')
        if (output.includes('Maru is ready at')) finish(resolve)
      }
      const finish = (settle: () => void): void => {
        clearTimeout(timer)
        settle()
      }
      npm.stdout.on('data', take)
      npm.stderr.on('data', take)
      void ended.then((code) => finish(() => reject(new Error(`npm start ended with ${code} before it was ready:\n${output}`))))
    })
    const seconds = (performance.now() - startedAtMs) / 1_000
    await sleep(settleMs)
    return { seconds, memoryMb: treeMemoryMb(npm.pid) }
  } finally {
    npm.kill('SIGTERM')
    const timer = setTimeout(() => npm.kill('SIGKILL'), stopMaxMs)
    await ended
    clearTimeout(timer)
  }
}

async function startDatabase(folder: string): Promise<Started> {
  const startedAtMs = performance.now()
  await using server = await startPostgres({ dataFolder: path.join(folder, 'alone') })
  const seconds = (performance.now() - startedAtMs) / 1_000
  await sleep(500)
  return { seconds, memoryMb: treeMemoryMb(server.pid) }
}

function treeMemoryMb(pid: number | undefined): number {
  return process.platform === 'linux' && pid !== undefined ? memoryMb(processTree(pid)) : 0
}

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}

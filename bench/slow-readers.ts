import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { startBenchDatabase, startBenchProcess } from './bench-processes.ts'
import { startBenchGateway } from './gateway.ts'
import { cpuMicroseconds } from './process-cpu.ts'
import { memoryMb, processTree } from './process-memory.ts'
import { benchRow, formatTable, median, type BenchRow, type Target } from './report.ts'
import type { Delivery } from './slow-readers/normal-readers.ts'

const normalSockets = 2_000
const slowSockets = 24
const rounds = 4
const warmupMs = 10_000
const sampleMs = 12_000
/** Until the buffers of the system between slow readers and the service are full, some megabytes each, and its own bound is met. */
const fillMs = 22_000

interface Sample extends Delivery {
  /** CPU time of both processes for an update that was read, in µs: what others do on the machine does not change it much. */
  cpuMicroseconds: number
  gatewayMb: number
  serviceMb: number
}

/**
 * How long prices are under way to 2,000 sockets through the gateway, alone and beside 24 that go on asking and never read, in turns; and the memory of both
 * processes. Readers of either kind are in processes of their own.
 */
export async function run(): Promise<BenchRow[]> {
  await using database = await startBenchDatabase()
  await using gateway = await startBenchGateway(database)
  const environment = { DATABASE_URL: database.urls['market-data'], MARU_MARKET_DATA: 'synthetic:1' }
  await using service = await startBenchProcess('services/market-data/main.ts', environment)
  await untilRouted(`${gateway.url}/api/market-data/symbols`)
  using normal = await startReaders('normal', gateway.url, normalSockets)
  const cpu = (): number => cpuMicroseconds([...processTree(gateway.pid), ...processTree(service.pid)])
  const sample = async (ms: number): Promise<Sample> => {
    const before = cpu()
    normal.process.send('begin')
    await sleep(ms)
    normal.process.send('end')
    const [delivery] = (await Promise.race([once(normal.process, 'message'), normal.failed])) as [Delivery]
    if (delivery.missed > 0 || delivery.updates === 0) throw new Error(`normal readers missed updates: ${JSON.stringify(delivery)}`)
    return {
      ...delivery,
      cpuMicroseconds: (cpu() - before) / delivery.updates,
      gatewayMb: memoryMb(processTree(gateway.pid)),
      serviceMb: memoryMb(processTree(service.pid)),
    }
  }
  await sample(warmupMs)
  const alone: Sample[] = []
  const beside: Sample[] = []
  for (let round = 0; round < rounds; round += 1) {
    alone.push(await sample(sampleMs))
    using _slow = await startReaders('silent', gateway.url, slowSockets, fillMs)
    await sleep(fillMs)
    beside.push(await sample(sampleMs))
  }
  const row = (name: string, unit: string, of: (one: Sample) => number, target?: Target): BenchRow =>
    benchRow({
      name: `slow-readers: ${name}`,
      unit,
      value: median(beside.map(of)),
      baseline: { name: `without ${slowSockets} slow ones`, value: median(alone.map(of)) },
      ...(target ? { target } : {}),
    })
  const growth = (name: string, of: (one: Sample) => number): BenchRow =>
    benchRow({
      name: `slow-readers: memory of ${name} with slow ones, last round`,
      unit: 'MB',
      value: of(beside.at(-1)!),
      baseline: { name: 'first round', value: of(beside[0]!) },
      target: atMost(1.25),
    })
  return [
    row(`p99 of delivery to ${normalSockets} sockets`, 'ms', (one) => one.p99Ms, atMost(1.25)),
    row('p50 of the same', 'ms', (one) => one.p50Ms),
    row('CPU of both processes for an update', 'µs', (one) => one.cpuMicroseconds, atMost(1.25)),
    row('memory of the gateway', 'MB', (one) => one.gatewayMb, atMost(1.25)),
    row('memory of market-data', 'MB', (one) => one.serviceMb, atMost(1.25)),
    growth('the gateway', (one) => one.gatewayMb),
    growth('market-data', (one) => one.serviceMb),
  ]
}

const atMost = (bound: number): Target => ({ of: 'ratio', is: 'at most', bound })

interface Readers extends Disposable {
  readonly process: ChildProcess
  /** Rejects when one of its sockets fails. */
  readonly failed: Promise<never>
}

/** Sockets in a process of their own; resolves once all are open. */
async function startReaders(kind: 'normal' | 'silent', url: string, count: number, ...more: number[]): Promise<Readers> {
  const child = fork(path.join(import.meta.dirname, `slow-readers/${kind}-readers.ts`), [url, ...[count, ...more].map(String)])
  const failed = new Promise<never>((_resolve, reject) => {
    child.on('message', (message: unknown) => {
      if (typeof message === 'object' && message !== null && 'failed' in message) reject(new Error(String(message.failed)))
    })
    child.once('exit', () => reject(new Error(`the ${kind} readers ended`)))
  })
  failed.catch(() => undefined)
  await Promise.race([once(child, 'message'), failed])
  return { process: child, failed, [Symbol.dispose]: () => void child.kill('SIGKILL') }
}

/** Waits until the gateway answers for the service. */
async function untilRouted(url: string): Promise<void> {
  while (!(await fetch(url)).ok) await sleep(50)
}

if (import.meta.main) process.stdout.write(`${formatTable(await run())}\n`)

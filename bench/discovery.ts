import { dnsRegistry, kubernetesRegistry, postgresRegistry } from '../service-host/discovery/test/support/registries.ts'
import { startInstance, type RegistryUnderTest, type RunningInstance } from '../service-host/discovery/test/support/running-instance.ts'
import { benchRow, median, type BenchRow } from './report.ts'

const changes = 20
const deaths = 7
const waitMaxMs = 30_000

/**
 * How long after it happens the gateway's view has it: a change that an instance announces, a process that is killed, one that is stopped. Instances are processes of
 * their own, killed at times that have nothing to do with the renewals of their leases. By DNS and Kubernetes deaths alone: there an instance is asked.
 */
export async function run(): Promise<BenchRow[]> {
  const rows: BenchRow[] = []
  {
    await using registry = await postgresRegistry({ outage: true })
    rows.push(...figures('PostgreSQL, a change', await measureChanges(registry), 100))
    rows.push(...(await measureDeaths('PostgreSQL', registry)))
  }
  for (const [name, open] of [
    ['DNS', dnsRegistry],
    ['Kubernetes', kubernetesRegistry],
  ] as const) {
    await using registry = await open()
    rows.push(...(await measureDeaths(name, registry)))
  }
  return rows
}

async function measureChanges(registry: RegistryUnderTest): Promise<number[]> {
  await using gateway = await view(registry)
  await using user = await startInstance(registry, 'user', 'u1')
  await gateway.until((states) => states.get('u1') === 'starting')
  const times: number[] = []
  for (let count = 0; count < changes; count += 1) {
    const state = count % 2 === 0 ? 'ready' : 'starting'
    const beganMs = performance.now()
    const told = user.tell({ state })
    times.push((await gateway.until((states) => states.get('u1') === state)) - beganMs)
    await told
    await new Promise((resolve) => setTimeout(resolve, 100 + Math.random() * 300))
  }
  return times
}

async function measureDeaths(name: string, registry: RegistryUnderTest): Promise<BenchRow[]> {
  const killed: number[] = []
  const stopped: number[] = []
  await using gateway = await view(registry)
  for (let count = 0; count < deaths; count += 1) {
    for (const [signal, times] of [
      ['SIGKILL', killed],
      ['SIGSTOP', stopped],
    ] as const) {
      const id = `u-${signal}-${count}`
      await using user = await startInstance(registry, 'user', id)
      await gateway.until((states) => states.has(id))
      times.push(await timeOfDeath(gateway, user, signal))
      await registry.unlist('user', user.url)
    }
  }
  return [...figures(`${name}, killed`, killed, 2_000), ...figures(`${name}, stopped`, stopped, 2_000)]
}

async function timeOfDeath(gateway: GatewayView, user: RunningInstance, signal: 'SIGKILL' | 'SIGSTOP'): Promise<number> {
  await new Promise((resolve) => setTimeout(resolve, 500 + Math.random() * 700))
  const beganMs = performance.now()
  user.signal(signal)
  return (await gateway.until((states) => !states.has(user.id))) - beganMs
}

interface GatewayView extends AsyncDisposable {
  /** Resolves with the time at which it came true. */
  until(condition: (states: ReadonlyMap<string, string>) => boolean): Promise<number>
}

async function view(registry: RegistryUnderTest): Promise<GatewayView> {
  const discovery = await registry.open()
  let states = new Map<string, string>()
  let look = (): void => undefined
  discovery.watch((instances) => {
    states = new Map(instances.map(({ id, state }) => [id, state]))
    look()
  }, new AbortController().signal)
  return {
    until: (condition) =>
      new Promise((resolve, reject) => {
        const timer = setTimeout(() => reject(new Error(`not seen within ${waitMaxMs} ms`)), waitMaxMs)
        look = () => {
          if (!condition(states)) return
          clearTimeout(timer)
          look = () => undefined
          resolve(performance.now())
        }
        look()
      }),
    [Symbol.asyncDispose]: () => discovery[Symbol.asyncDispose](),
  }
}

function figures(name: string, times: readonly number[], boundMs: number): BenchRow[] {
  const target = { of: 'value', is: 'at most', bound: boundMs } as const
  return [
    benchRow({ name: `discovery: ${name}, known after (median)`, unit: 'ms', value: median(times), target }),
    benchRow({ name: `discovery: ${name}, known after (worst of ${times.length})`, unit: 'ms', value: Math.max(...times), target }),
  ]
}

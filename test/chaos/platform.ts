import { execFile, spawn, type ChildProcess } from 'node:child_process'
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { promisify } from 'node:util'
import { command } from '../../apps/cli/control-client.ts'
import { Client, eventually } from '../support/client.ts'
import { freePort } from '../support/platform.ts'
import { Disk } from './disk.ts'

export const services = ['gateway', 'trading', 'user', 'market-data', 'notification', 'analytics'] as const
export type Service = (typeof services)[number]

export interface LiveInstance {
  service: Service
  id: string
  pid: number
  url: string
  state: string
}

/** An instance as the supervisor has it; without a pid while it waits to be started again. */
export interface SupervisedInstance {
  service: string
  id: string
  pid: number | null
  state: string
}

/** How a command of `maru` ended. */
export interface Ended {
  code: number
  /** Both its streams. */
  output: string
}

const root = path.resolve(import.meta.dirname, '../..')
const run = promisify(execFile)
const readyWithinMs = 120_000
const backWithinMs = 60_000
const stopWithinMs = 40_000
/** Instances of each service. */
export const replicas = 2

/** The whole platform as a person runs it, two instances of every service, on a home of its own that is removed at the end. */
export class ChaosPlatform implements AsyncDisposable {
  readonly url: string
  readonly home: string
  /** Undefined where the machine lets no disk be mounted. */
  readonly disk: Disk | undefined
  readonly #folder: string
  readonly #supervisor: ChildProcess
  readonly #exited: Promise<unknown>
  readonly #environment: NodeJS.ProcessEnv
  readonly #output: () => string
  #operator: Promise<Client> | undefined

  private constructor(folder: string, url: string, home: string, disk: Disk | undefined, environment: NodeJS.ProcessEnv) {
    this.#folder = folder
    this.url = url
    this.home = home
    this.disk = disk
    this.#environment = environment
    this.#supervisor = spawn(process.execPath, [path.join(root, 'apps/cli/main.ts'), 'start', '--replicas', allAt(replicas)], {
      cwd: root,
      env: environment,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    this.#exited = new Promise((resolve) => this.#supervisor.once('exit', resolve))
    let output = ''
    for (const stream of [this.#supervisor.stdout, this.#supervisor.stderr])
      stream?.on('data', (chunk: Buffer) => (output += chunk.toString('utf8')))
    this.#output = () => output
  }

  static async start(): Promise<ChaosPlatform> {
    const folder = await mkdtemp(path.join(tmpdir(), 'maru-chaos-'))
    const disk = await Disk.mount(folder)
    const port = await freePort()
    const unlimited = '10000000'
    const platform = new ChaosPlatform(folder, `http://127.0.0.1:${port}`, disk?.folder ?? folder, disk, {
      ...process.env,
      MARU_HOME: disk?.folder ?? folder,
      MARU_PORT: String(port),
      MARU_MARKET_DATA: 'synthetic:7',
      MARU_RATE_LIMIT_PER_SECOND: unlimited,
      MARU_RATE_LIMIT_BURST: unlimited,
      MARU_SNAPSHOT_EVERY_COMMANDS: '20000',
      // As under npm: the supervisor ends when who started it is gone.
      npm_lifecycle_event: 'chaos',
    })
    try {
      await eventually(
        () => Promise.resolve(platform.output()),
        (text) => text.includes('Maru is ready at'),
        readyWithinMs,
      )
      await eventually(
        () => platform.instances(),
        (all) => services.every((service) => all.filter((one) => one.service === service && one.state === 'ready').length === replicas),
        readyWithinMs,
      )
    } catch (error) {
      const said = platform.output()
      await platform[Symbol.asyncDispose]()
      throw new Error(`the platform did not start:\n${said}`, { cause: error })
    }
    return platform
  }

  /** What the supervisor has said. */
  output(): string {
    return this.#output()
  }

  async instances(service?: Service): Promise<LiveInstance[]> {
    const answer = await fetch(`${this.url}/health/services`, { signal: AbortSignal.timeout(2_000) })
    const { items } = (await answer.json()) as { items: LiveInstance[] }
    return items.filter((item) => service === undefined || item.service === service)
  }

  async ready(service: Service): Promise<LiveInstance[]> {
    return (await this.instances(service)).filter(({ state }) => state === 'ready')
  }

  /** Resolves once as many instances of the service take requests as should, none of them with a pid of `gone`. */
  async untilWhole(service: Service, gone: readonly number[] = [], wanted: number = replicas): Promise<void> {
    await eventually(
      () => this.ready(service),
      (ready) => ready.length === wanted && ready.every(({ pid }) => !gone.includes(pid)),
      backWithinMs,
    )
  }

  /** What the supervisor runs of a service at this moment. */
  async supervised(service: Service): Promise<SupervisedInstance[]> {
    const { data } = await command(this.home, 'status')
    return (data as { instances: SupervisedInstance[] }).instances.filter((instance) => instance.service === service)
  }

  /** Pids of the processes of a service below the supervisor, those included that it may know nothing of. */
  async processesOf(service: Service): Promise<number[]> {
    const { stdout } = await run('ps', ['-A', '-ww', '-o', 'pid=,ppid=,args='])
    return stdout
      .split('\n')
      .map((line) => line.trim().split(/\s+/))
      .filter(
        ([, parent, ...program]) => Number(parent) === this.#supervisor.pid && program.join(' ').includes(`services/${service}/main.ts`),
      )
      .map(([pid]) => Number(pid))
  }

  async postgresPid(): Promise<number> {
    return Number((await readFile(path.join(this.home, 'postgres', 'postmaster.pid'), 'utf8')).split('\n')[0])
  }

  /**
   * Resolves once requests through the gateway that take the database, one of them an order that goes through the log, have been answered well by every service, several
   * times in a row so that each instance had its turn.
   */
  async untilAnswering(): Promise<void> {
    const operator = await this.operator()
    const reads = [
      '/api/user/me',
      '/api/trading/orders?limit=1',
      '/api/notification/notifications?limit=1',
      `/api/analytics/equity/${operator.userId}`,
      '/api/market-data/prices/BTC-USDT',
    ]
    const order = { symbol: 'BTC/USDT', side: 'SELL', order_type: 'LIMIT', quantity: '1', price: '1000000' }
    const isWell = async (): Promise<boolean> => {
      const answers = await Promise.all([...reads.map((at) => operator.get(at)), operator.post('/api/trading/orders', order)])
      // The operator need not have an account: who says so has looked.
      return answers.every(({ status }) => status < 500 && status !== 401)
    }
    let inARow = 0
    await eventually(
      async () => (inARow = (await isWell()) ? inARow + 1 : 0),
      (count) => count >= 4 * replicas,
      backWithinMs,
    )
  }

  /** A command of `maru` on this home; what it printed. Rejects where it ended with another code than 0. */
  async maru(...parameters: string[]): Promise<string> {
    const { code, output } = await this.tryMaru(...parameters)
    if (code !== 0) throw new Error(`maru ${parameters.join(' ')} ended with ${code}: ${output}`)
    return output
  }

  /** As `maru`, for a command that may well be refused or fail. Rejects only where it did not end in time. */
  async tryMaru(...parameters: string[]): Promise<Ended> {
    const program = [path.join(root, 'apps/cli/main.ts'), ...parameters]
    const how = { cwd: root, env: this.#environment, timeout: 120_000 }
    return run(process.execPath, program, how).then(
      ({ stdout, stderr }) => ({ code: 0, output: `${stdout}${stderr}` }),
      (error: Error & { code?: unknown; stdout?: string; stderr?: string }) => {
        if (typeof error.code !== 'number') throw error
        return { code: error.code, output: `${error.stdout}${error.stderr}` }
      },
    )
  }

  /** Copies the logs of the services and what the supervisor has said. */
  async copyLogs(folder: string): Promise<void> {
    await cp(path.join(this.home, 'logs'), folder, { recursive: true })
    await writeFile(path.join(folder, 'supervisor.log'), this.output())
  }

  /** The operator, logged in once. */
  operator(): Promise<Client> {
    return (this.#operator ??= this.#logIn())
  }

  async #logIn(): Promise<Client> {
    const { email, password } = JSON.parse(await readFile(path.join(this.home, 'operator.json'), 'utf8')) as {
      email: string
      password: string
    }
    const client = new Client(this.url)
    await client.login(email, password)
    return client
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#supervisor.exitCode === null && this.#supervisor.signalCode === null) {
      this.#supervisor.kill('SIGTERM')
      const timer = setTimeout(() => this.#supervisor.kill('SIGKILL'), stopWithinMs)
      await this.#exited
      clearTimeout(timer)
    }
    await this.disk?.unmount()
    await rm(this.#folder, { recursive: true, force: true })
  }
}

function allAt(count: number): string {
  return services.map((service) => `${service}=${count}`).join(',')
}

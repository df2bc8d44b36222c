import { fork } from 'node:child_process'
import { once } from 'node:events'
import path from 'node:path'
import { Client, eventually } from '../support/client.ts'
import { freePort } from '../support/platform.ts'
import { startTestServer, type TestServer } from '../support/postgres.ts'
import { logInAt, startServiceProcess, startUserService, type ServiceProcess, type UserSide } from '../support/services.ts'
import { bareEnvironment } from '../support/bare-environment.ts'

const root = path.resolve(import.meta.dirname, '../..')
const unlimited = '1000000'
const tradingEnv = { MARU_HOUSE_LIQUIDITY: 'off', MARU_SNAPSHOT_EVERY_COMMANDS: '2000', MARU_LOG_LEVEL: 'error' }

/** The parts that take orders, as real processes: PostgreSQL with the settings of production, the user service, the gateway, two trading instances. */
export interface ReplicaPlatform extends AsyncDisposable {
  /** The trading service behind the gateway. */
  readonly tradingUrl: string
  /** The two instances that run now. */
  readonly instances: readonly ServiceProcess[]
  readonly operator: Client
  /** A user with money of both kinds, logged in; its client's url is `tradingUrl`. */
  register(name: string): Promise<Client>
  /** SIGKILL to one of the two, and starts another in its place; resolves with the ms until that takes orders. */
  replace(index: number): Promise<number>
}

export async function startReplicaPlatform(): Promise<ReplicaPlatform> {
  await using started = new AsyncDisposableStack()
  const server: TestServer = started.use(await startTestServer())
  const user: UserSide = started.use(await startUserService(server))
  const startTrading = (): Promise<ServiceProcess> => startServiceProcess('trading', server.urls.trading, tradingEnv)
  const instances = await Promise.all([startTrading(), startTrading()])
  started.defer(async () => void (await Promise.all(instances.map((instance) => instance[Symbol.asyncDispose]()))))
  const gateway = started.use(await startGateway(server))
  const tradingUrl = `${gateway.url}/api/trading`
  const operator = new Client(tradingUrl)
  await logInAt(user.service, operator, user.operator.email, user.operator.password)
  await eventually(
    () => operator.get('/reconciliation'),
    ({ status }) => status === 200,
  )
  const owned = started.move()
  return {
    tradingUrl,
    instances,
    operator,
    async register(name) {
      const client = new Client(tradingUrl)
      const direct = new Client(user.service.url)
      await direct.post('/register', { email: `${name}@example.com`, username: name, password: client.password })
      await logInAt(user.service, client, name, client.password)
      await client.get(`/accounts/${client.userId}/balances`)
      const deposit = await operator.post(`/accounts/${client.userId}/deposits`, { asset: 'BTC', amount: '5', reference: `start-${name}` })
      if (deposit.status !== 201) throw new Error(`deposit: ${deposit.status} ${JSON.stringify(deposit.body)}`)
      return client
    },
    async replace(index) {
      await instances[index]!.kill()
      const startedMs = performance.now()
      instances[index] = await startTrading()
      return performance.now() - startedMs
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}

/** The gateway; it is not ready as long as other services are missing, but forwards to those that are there. */
async function startGateway(server: TestServer): Promise<AsyncDisposable & { url: string }> {
  const port = await freePort()
  const child = fork(path.join(root, 'services/gateway/main.ts'), [], {
    env: {
      ...bareEnvironment,
      DATABASE_URL: server.urls.gateway,
      MARU_LOG_LEVEL: 'error',
      MARU_PORT: String(port),
      MARU_RATE_LIMIT_PER_SECOND: unlimited,
      MARU_RATE_LIMIT_BURST: unlimited,
    },
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  })
  const exited = once(child, 'exit')
  const url = `http://127.0.0.1:${port}`
  await eventually(
    () => fetch(`${url}/health/live`),
    ({ status }) => status === 200,
  )
  return {
    url,
    async [Symbol.asyncDispose]() {
      child.kill('SIGTERM')
      await exited
    },
  }
}

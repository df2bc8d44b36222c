import { CommandKind, topics } from '@maru/contracts'
import { encodeBatch } from '@maru/contracts/commands-codec'
import { newestRules } from '@maru/domain/exchange'
import { encodeJsonRecord, openPostgresEventLog } from '@maru/event-log'
import { Client, eventually } from './client.ts'
import { createTestDatabase, type TestDatabase } from './postgres.ts'
import { logInAt, startServiceProcess, startUserService, type ServiceProcess, type UserSide } from './services.ts'

/** One instance of the trading service under the newest rules, without house liquidity, and who may log in at it. */
export interface TradingSide extends AsyncDisposable {
  readonly service: ServiceProcess
  readonly users: UserSide
  readonly operator: Client
  readonly database: TestDatabase
  /** A new user, whose account has its grant. */
  user(name: string): Promise<Client>
  /** A price from the market, which becomes the mark. */
  price(symbol: string, price: string): Promise<void>
}

export async function startTradingSide(): Promise<TradingSide> {
  const database: TestDatabase = await createTestDatabase()
  await switchRulesOn(database.urls.trading)
  const [users, service] = await Promise.all([
    startUserService(database),
    startServiceProcess('trading', database.urls.trading, { MARU_HOUSE_LIQUIDITY: 'off' }),
  ])
  const market = await openPostgresEventLog({ connectionString: database.urls['market-data'], applicationName: 'maru-test' })
  let prices = 0
  const operator = new Client(service.url)
  await logInAt(users.service, operator, users.operator.email, users.operator.password)
  return {
    service,
    users,
    operator,
    database,
    async user(name) {
      const client = new Client(service.url)
      client.email = `${name}@example.com`
      const { email, password } = client
      await new Client(users.service.url).post('/register', { email, username: name, password })
      await logInAt(users.service, client, email, password)
      await client.get(`/accounts/${client.userId}/balances`)
      // Whoever publishes has begun: on a busy machine that may take longer than a read waits for the tables.
      await eventually(
        () => client.get<{ items: unknown[] }>(`/accounts/${client.userId}/events`),
        ({ body }) => body.items.length > 1,
      )
      return client
    },
    async price(symbol, price) {
      prices += 1
      const data = { symbol, price, bid: price, ask: price, sources: ['test'] }
      const event = { id: `price-${prices}`, type: 'price.updated', v: 1, timestamp: new Date().toISOString(), data }
      await market.append(topics.marketData, encodeJsonRecord([JSON.stringify(event)]), { producer: 'test', sequence: prices })
    },
    async [Symbol.asyncDispose]() {
      await market[Symbol.asyncDispose]()
      await service[Symbol.asyncDispose]()
      await users[Symbol.asyncDispose]()
      await database[Symbol.asyncDispose]()
    },
  }
}

/** As the first command of the log. */
async function switchRulesOn(connectionString: string): Promise<void> {
  await using log = await openPostgresEventLog({ connectionString, applicationName: 'maru-test' })
  const command = { kind: CommandKind.setRules, time: 0, rules: newestRules, actor: 'test' }
  await log.append(topics.tradingCommands, encodeBatch([command]), { producer: 'test', sequence: 1 })
}

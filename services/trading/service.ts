import { fileURLToPath } from 'node:url'
import { topics, type UserEvent } from '@maru/contracts'
import { consume } from '@maru/event-log'
import type { ServiceContext, ServiceDefinition, StartedService } from '@maru/service-host'
import { serveAccountStream } from './account-stream/routes.ts'
import { StreamPlaces } from './account-stream/server-sent-events.ts'
import { Accounts } from './accounts.ts'
import { runClockwork } from './clockwork/clockwork.ts'
import { readTradingConfig } from './config.ts'
import { genesisCommands } from './genesis.ts'
import { History } from './history/history.ts'
import { runHouse } from './house-liquidity/house.ts'
import { Intake } from './intake/intake.ts'
import { serveMarkets } from './markets/routes.ts'
import { OrderEntry } from './order-management/order-entry.ts'
import { Orders } from './order-management/orders.ts'
import { serveOrderManagement } from './order-management/routes.ts'
import { serveOrderSocket } from './order-socket/routes.ts'
import { servePositionManagement } from './position-management/routes.ts'
import { loadSnapshot } from './publisher/snapshots.ts'
import { startPublisherThread } from './publisher/thread.ts'
import { Replica } from './replica/replica.ts'
import { serveAccountControls } from './risk-management/account-controls.ts'
import { serveFees } from './risk-management/fees.ts'
import { serveMarketControls } from './risk-management/market-controls.ts'
import { servePreview } from './order-management/preview.ts'
import { serveTransfers } from './risk-management/transfers.ts'
import { serveReconciliation } from './risk-management/reconciliation.ts'
import { serveRiskManagement } from './risk-management/routes.ts'

const streamsMax = 1_000

export const definition: ServiceDefinition = {
  service: 'trading',
  migrations: fileURLToPath(new URL('./store', import.meta.url)),
  start,
}

/** Starts order entry, the replica and the publishing thread. Ready once the replica has applied what the log held. */
async function start(context: ServiceContext): Promise<StartedService> {
  const { log, logger, pool, http, instanceId, shutdown } = context
  const config = readTradingConfig(context.environment)
  const stop = new AbortController()
  const signal = AbortSignal.any([shutdown, stop.signal])

  const state = await loadSnapshot(pool)
  const replica = new Replica({
    exchange: state.exchange,
    offset: state.offset,
    log,
    producer: instanceId,
    logger,
    onFatal: (error) => context.fail('the exchange failed while it applied a command', error),
  })
  await replica.catchUp()
  const intake = new Intake({
    log,
    replica,
    producer: instanceId,
    queueMax: config.intakeQueueMax,
    timeoutMs: config.outcomeTimeoutMs,
    logger,
  })
  await Promise.all(genesisCommands(replica.exchange).map((command) => intake.submit(command, () => undefined)))
  logger.info({ command: replica.exchange.commandCount, accounts: replica.exchange.accountCount }, 'replica is up to date')

  const history = new History(pool)
  const accounts = new Accounts({ replica, intake, config })
  const orders = new Orders({ replica, history })
  const entry = new OrderEntry({ replica, intake, orders, history })
  const places = new StreamPlaces(streamsMax)
  serveOrderManagement({ http, replica, accounts, orders, entry, history })
  serveOrderSocket({ http, replica, accounts, orders, entry, history, places, verifier: context.verifier, logger, shutdown: signal })
  servePositionManagement({ http, replica, intake, accounts })
  serveRiskManagement({ http, replica, intake, accounts })
  serveAccountControls({ http, replica, intake, accounts })
  serveMarketControls({ http, replica, intake })
  serveFees({ http, replica, intake, accounts })
  serveTransfers({ http, replica, intake })
  servePreview({ http, replica, accounts })
  serveReconciliation({ http, replica, instanceId })
  serveMarkets({ http, replica })
  serveAccountStream({ http, replica, accounts, history, places, shutdown: signal })

  const following = replica.follow(signal)
  let leading: { stop: AbortController; done: Promise<void> } | undefined
  const onLeading = (isLeading: boolean): void => {
    leading?.stop.abort()
    leading = undefined
    if (isLeading) leading = lead(context, { replica, intake, accounts, quotes: config.houseLiquidity, signal })
  }
  const publisher = startPublisherThread({
    data: {
      databaseUrl: context.databaseUrl,
      instanceId,
      logLevel: logger.level,
      snapshotEveryCommands: config.snapshotEveryCommands,
      snapshotEveryMs: config.snapshotEveryMs,
    },
    onLeading,
    onFailed: (error) => context.fail('the publishing thread failed', error),
  })

  return {
    async [Symbol.asyncDispose]() {
      stop.abort()
      await leading?.done
      await intake.close()
      await following
      await publisher[Symbol.asyncDispose]()
    },
  }
}

/** Duties of the one instance that leads: accounts for who has registered, marks, the house's quotes, and time. */
function lead(
  context: ServiceContext,
  parts: { replica: Replica; intake: Intake; accounts: Accounts; quotes: boolean; signal: AbortSignal },
): { stop: AbortController; done: Promise<void> } {
  const { log, logger, pool } = context
  const stop = new AbortController()
  const signal = AbortSignal.any([parts.signal, stop.signal])
  const registrations = consume<UserEvent>({
    log,
    topic: topics.userEvents,
    name: 'accounts',
    pool,
    schema: 'trading',
    signal,
    logger,
    handler: async (_client, events) => {
      for (const event of events) if (event.type === 'user.registered') await parts.accounts.open(event.data.user_id)
    },
  })
  const house = runHouse({ log, logger, ...parts, signal }).catch((error: unknown) => {
    if (!signal.aborted) context.fail('the house liquidity failed', error)
  })
  const clockwork = runClockwork({ ...parts, logger, signal })
  return { stop, done: Promise.all([registrations.done, house, clockwork]).then(() => undefined) }
}

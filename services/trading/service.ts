import { fileURLToPath } from 'node:url'
import { topics, type UserEvent } from '@maru/contracts'
import { newestRules } from '@maru/domain/exchange'
import { consume, systemClock } from '@maru/event-log'
import {
  readSettings,
  TraceNotes,
  tracingSettings,
  type ServiceContext,
  type ServiceDefinition,
  type StartedService,
} from '@maru/service-host'
import { serveAccountStream } from './account-stream/routes.ts'
import { StreamPlaces } from './account-stream/server-sent-events.ts'
import { Accounts } from './accounts.ts'
import { Agreement } from './agreement/agreement.ts'
import { postgresStateHashes } from './agreement/state-hashes.ts'
import { runClockwork } from './clockwork/clockwork.ts'
import { readTradingConfig } from './config.ts'
import { startCore } from './core.ts'
import { History } from './history/history.ts'
import { runHouse } from './house-liquidity/house.ts'
import type { Intake } from './intake/intake.ts'
import { serveMarkets } from './markets/routes.ts'
import { OrderEntry } from './order-management/order-entry.ts'
import { Orders } from './order-management/orders.ts'
import { serveOrderLists } from './order-management/order-lists.ts'
import { CommandTraces } from './monitoring/command-traces.ts'
import { exposeTrading } from './monitoring/metrics.ts'
import { RegistrationTraces } from './monitoring/registration-traces.ts'
import { SocketTraces } from './monitoring/socket-traces.ts'
import { OrderMeter } from './monitoring/order-meter.ts'
import { serveOrderManagement } from './order-management/routes.ts'
import { serveOrderSocket } from './order-socket/routes.ts'
import { servePositionManagement } from './position-management/routes.ts'
import { PostgresSnapshots } from './publisher/postgres-snapshots.ts'
import { startPublisherThread, type PublisherThread } from './publisher/thread.ts'
import type { Replica } from './replica/replica.ts'
import { switchRules } from './rules/switch-rules.ts'
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
  // Replicas poll it, and each tells the publisher in its own process.
  quietTopics: [topics.tradingCommands],
  start,
}

/** Starts order entry, the replica and the publishing thread. Ready once the replica has applied what the log held. */
async function start(context: ServiceContext): Promise<StartedService> {
  const { log, logger, pool, http, instanceId, shutdown } = context
  const config = readTradingConfig(context.environment)
  const stop = new AbortController()
  const signal = AbortSignal.any([shutdown, stop.signal])

  const hashes = postgresStateHashes(pool)
  const agreement = new Agreement({ replica: instanceId, hashes, logger })
  const meter = new OrderMeter()
  const { replica, intake } = await startCore({
    log,
    observer: context.tracing.isOn ? new CommandTraces(meter, context.tracing, new TraceNotes(pool)) : meter,
    agreement,
    snapshots: new PostgresSnapshots(pool),
    instanceId,
    queueMax: config.intakeQueueMax,
    timeoutMs: config.outcomeTimeoutMs,
    logger,
    clock: systemClock,
    onFatal: (error) => context.fail('the exchange failed while it applied a command', error),
  })
  let publisher: PublisherThread | undefined
  let leading: { stop: AbortController; done: Promise<void> } | undefined
  const onLeading = (isLeading: boolean): void => {
    leading?.stop.abort()
    leading = undefined
    if (isLeading) leading = lead(context, { replica, intake, accounts, quotes: config.houseLiquidity, signal })
  }
  let halted: string | undefined
  /** Stops taking orders, leading and publishing, for as long as this process runs: what it holds may be wrong. */
  const halt = (detail: string): void => {
    if (halted !== undefined) return
    halted = detail
    logger.fatal(detail)
    intake.refuse(detail)
    onLeading(false)
    void publisher?.[Symbol.asyncDispose]()
  }
  if (agreement.disagreement) halt(agreement.disagreement.detail)
  logger.info({ command: replica.exchange.commandCount, accounts: replica.exchange.accountCount }, 'replica is up to date')

  const history = new History(pool)
  const accounts = new Accounts({ replica, intake, config })
  const orders = new Orders({ replica, history })
  const entry = new OrderEntry({ replica, intake, orders, history })
  const places = new StreamPlaces(streamsMax)
  serveOrderManagement({ http, replica, accounts, orders, entry, history })
  serveOrderLists({ http, replica, accounts, orders, history })
  const traces = new SocketTraces(context.tracing)
  const { verifier } = context
  serveOrderSocket({ http, replica, accounts, orders, entry, history, places, verifier, traces, logger, shutdown: stop.signal })
  servePositionManagement({ http, replica, intake, accounts })
  serveRiskManagement({ http, replica, intake, accounts })
  serveAccountControls({ http, replica, intake, accounts })
  serveMarketControls({ http, replica, intake })
  serveFees({ http, replica, intake, accounts })
  serveTransfers({ http, replica, intake })
  servePreview({ http, replica, accounts })
  serveReconciliation({ http, replica, instanceId, discovery: context.discovery, agreement, hashes })
  serveMarkets({ http, replica })
  serveAccountStream({ http, replica, accounts, history, places, shutdown: stop.signal })

  exposeTrading(context.metrics, {
    replica,
    intake,
    orders: meter,
    isLeading: () => publisher?.isLeading ?? false,
    halted: () => halted,
    publisher: () => publisher?.figures,
  })
  context.measureLog(() => publisher?.figures?.log ?? { topics: new Map(), readers: new Map() })

  // Until the last request is answered and the last stream has ended, which is after `shutdown`.
  const following = replica.follow(stop.signal)
  const agreeing = agreement.follow(signal, ({ detail }) => halt(detail))
  if (halted === undefined) {
    publisher = startPublisherThread({
      data: {
        databaseUrl: context.databaseUrl,
        instanceId,
        logLevel: logger.level,
        snapshotEveryCommands: config.snapshotEveryCommands,
        snapshotEveryMs: config.snapshotEveryMs,
        tracing: readSettings(context.environment, tracingSettings),
      },
      onLeading,
      onDiffers: halt,
      onFailed: (error) => context.fail('the publishing thread failed', error),
    })
    replica.onMoved((offset) => publisher?.appended(offset))
  }

  return {
    notReady: () => halted,
    // Any instance may be the one that publishes; which rules it knows tells which others it agrees with.
    // Another replica may be a moment behind what a user has just done here.
    capabilities: ['leader', 'route-by-user', `rules:${newestRules}`],
    async [Symbol.asyncDispose]() {
      stop.abort()
      await leading?.done
      await intake.close()
      await following
      await agreeing
      await publisher?.[Symbol.asyncDispose]()
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
  const traces = new RegistrationTraces(context.tracing, pool)
  const registrations = consume<UserEvent>({
    log,
    topic: topics.userEvents,
    name: 'accounts',
    pool,
    schema: 'trading',
    standsBy: false,
    signal,
    logger,
    handler: (_client, events) =>
      traces.openAll(
        events.flatMap((event) => (event.type === 'user.registered' ? [event.data.user_id] : [])),
        (userId) => parts.accounts.open(userId),
      ),
  })
  const house = runHouse({ log, logger, ...parts, signal }).catch((error: unknown) => {
    if (!signal.aborted) context.fail('the house liquidity failed', error)
  })
  const { discovery, version } = context
  const rules = switchRules({ discovery, version, logger, ...parts, signal }).catch((error: unknown) => {
    if (!signal.aborted) context.fail('new rules could not be switched on', error)
  })
  const clockwork = runClockwork({ ...parts, logger, signal })
  return { stop, done: Promise.all([registrations.done, house, rules, clockwork]).then(() => undefined) }
}

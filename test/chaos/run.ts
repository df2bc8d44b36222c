import { setTimeout as sleep } from 'node:timers/promises'
import { endState, openOrdersDiffer, ordersAtOdds, streamFaults } from '../failure/aftermath.ts'
import { randomNumbers } from '../failure/seeded.ts'
import { Trader } from '../failure/trader.ts'
import { Client, eventually } from '../support/client.ts'
import type { Episode } from './episode.ts'
import type { Fault } from './faults/fault.ts'
import { killsOfTheOnly } from './faults/only.ts'
import { MixedLoad } from './load/mixed-load.ts'
import { Requester } from './load/requester.ts'
import { figuresOf, Samples, type Figures } from './load/samples.ts'
import { PriceWatcher, StreamWatcher } from './load/watchers.ts'
import { arsenal, plan } from './plan.ts'
import { ChaosPlatform, services, type Service } from './platform.ts'

const traderCount = 24
const priceWatchers = 20
const streamWatchers = 6
const calmMs = 2_500
const calibrationMs = 8_000
const settleMs = 5_000
const halfLoadMs = 20_000
/** Of what the platform can do on this machine at its most; the rest is for what a fault costs. */
const steadyShare = 0.25

export interface ChaosOptions {
  minutes: number
  seed: number
  /** Only faults in whose names this text is. */
  only: string
  /** Where the logs of the services are copied at the end. */
  logsFolder: string | undefined
  /** Takes lines for a person as it goes. */
  say(line: string): void
  signal: AbortSignal
}

export interface ChaosResult {
  seed: number
  /** Faults that this machine does not allow. */
  left: string[]
  fullPerSecond: number
  steadyPerSecond: number
  atHalfLoad: Figures
  samples: Samples
  /** The calm before and after, by the clock of `performance.now`. */
  before: [number, number]
  after: [number, number]
  episodes: Episode[]
  /** Kills of the only instance of a service. */
  alone: Episode[]
  unsent: number
  priceMessages: number
  streamEvents: number
  orders: { told: number; lost: string[]; doubled: string[]; other: string[] }
  /** Answers and streams that should not have been. */
  faults: string[]
  position: number
  stateHash: string
}

/** Two instances of everything under a steady mix of requests, while one thing after the other is broken; then a count of what was promised. */
export async function runChaos(options: ChaosOptions): Promise<ChaosResult> {
  const { seed, say, signal } = options
  const random = randomNumbers(seed)
  await using platform = await ChaosPlatform.start()
  say(`two instances of each of ${services.length} services are ready at ${platform.url}`)
  await using keeping = new AsyncDisposableStack()
  if (options.logsFolder !== undefined) keeping.defer(() => platform.copyLogs(options.logsFolder!))
  const { faults: possible, left } = await arsenal(platform.disk !== undefined)
  const faults = possible.filter(({ name }) => name.includes(options.only))
  if (faults.length === 0) throw new Error(`no fault is named "${options.only}"; there are: ${possible.map(({ name }) => name).join('; ')}`)
  const operator = await platform.operator()
  const traders = await makeTraders(platform, operator, seed)
  const samples = new Samples()
  const requester = new Requester(platform.url, samples)
  const load = new MixedLoad(traders, requester, randomNumbers(seed + 1))

  const warm = new MixedLoad(traders, new Requester(platform.url, new Samples()), randomNumbers(seed + 2))
  await warm.saturate(16, 4_000)
  const fullPerSecond = await warm.saturate(64, calibrationMs)
  // What full load left to be published, written and mailed is no part of half load.
  await sleep(settleMs, undefined, { signal })
  const atHalfLoad = await half(platform, traders, fullPerSecond, seed)
  const steadyPerSecond = Math.max(20, Math.round(fullPerSecond * steadyShare))
  say(
    `full load ${Math.round(fullPerSecond)} requests/s; at half of it p95 ${atHalfLoad.p95Ms.toFixed(1)} ms; now ${steadyPerSecond}/s, steadily`,
  )

  const prices = Array.from({ length: priceWatchers }, () => new PriceWatcher(platform.url))
  const streams = traders.slice(0, streamWatchers).map(({ client }) => new StreamWatcher(platform.url, userClient(platform, client)))
  const stopped = new AbortController()
  const running = [load.run(steadyPerSecond, stopped.signal), ...[...prices, ...streams].map((watcher) => watcher.run(stopped.signal))]

  const totalMs = options.minutes * 60_000
  const calmAtEnds = Math.min(30_000, totalMs / 10)
  const startedMs = performance.now()
  const pause = (durationMs: number): Promise<void> => sleep(durationMs, undefined, { signal }).then(() => undefined)
  const episodes: Episode[] = []
  const alone: Episode[] = []
  const before: [number, number] = [startedMs, startedMs + calmAtEnds]
  let after: [number, number]
  try {
    await pause(calmAtEnds)
    for (const fault of plan(faults, random)) {
      if (performance.now() - startedMs > totalMs - calmAtEnds) break
      const episode = await live(platform, fault, random)
      episodes.push(episode)
      say(`${clock(startedMs)}  ${sentence(episode)}`)
      if (episode.failure !== undefined) break
      await pause(calmMs)
    }
    const restMs = startedMs + totalMs - calmAtEnds - performance.now()
    if (restMs > 0) await pause(restMs)
    const afterFromMs = performance.now()
    await pause(calmAtEnds)
    after = [afterFromMs, performance.now()]
    for (const service of services) {
      for await (const episode of killsAlone(platform, service)) {
        alone.push(episode)
        say(`${clock(startedMs)}  ${sentence(episode)}`)
      }
      await pause(calmMs)
    }
  } finally {
    stopped.abort()
    await Promise.all(running)
  }
  say('what was told is held against what is there')
  return {
    seed,
    left,
    fullPerSecond,
    steadyPerSecond,
    atHalfLoad,
    samples,
    before,
    after,
    episodes,
    alone,
    unsent: load.unsent,
    priceMessages: prices.reduce((sum, { messages }) => sum + messages, 0),
    streamEvents: streams.reduce((sum, { sequence }) => sum + sequence, 0),
    ...(await aftermath(platform, operator, traders, streams)),
  }
}

async function makeTraders(platform: ChaosPlatform, operator: Client, seed: number): Promise<Trader[]> {
  const { body } = await eventually(
    () => operator.get<{ price: string }>('/api/market-data/prices/BTC-USDT'),
    ({ status }) => status === 200,
  )
  const traders: Trader[] = []
  for (let number = 1; number <= traderCount; number++) {
    const client = await Client.registered(platform.url, `chaos${number}`)
    await eventually(
      () => client.get(`/api/trading/accounts/${client.userId}/balances`),
      ({ status }) => status === 200,
    )
    const deposit = await operator.post(`/api/trading/accounts/${client.userId}/deposits`, {
      asset: 'BTC',
      amount: '5',
      reference: `start-${number}`,
    })
    if (deposit.status !== 201) throw new Error(`deposit: ${deposit.status} ${JSON.stringify(deposit.body)}`)
    const trading = new Client(`${platform.url}/api/trading`)
    trading.token = client.token
    trading.userId = client.userId
    const trader = new Trader(trading, `t${number}`, randomNumbers(seed + 100 + number))
    trader.middle = Math.round(Number(body.price))
    traders.push(trader)
  }
  return traders
}

function userClient(platform: ChaosPlatform, trading: Client): Client {
  const client = new Client(platform.url)
  client.token = trading.token
  client.userId = trading.userId
  return client
}

async function half(platform: ChaosPlatform, traders: readonly Trader[], fullPerSecond: number, seed: number): Promise<Figures> {
  const samples = new Samples()
  const load = new MixedLoad(traders, new Requester(platform.url, samples), randomNumbers(seed + 3))
  await load.run(fullPerSecond / 2, AbortSignal.timeout(halfLoadMs))
  return figuresOf(samples.where(() => true))
}

async function live(platform: ChaosPlatform, fault: Fault, random: () => number): Promise<Episode> {
  const startedMs = performance.now()
  let brokenMs = startedMs
  let mendedMs = startedMs
  const failure = await fault
    .inject(platform, random, { broken: () => (brokenMs = performance.now()), mended: () => (mendedMs = performance.now()) })
    .then(
      () => undefined,
      (error: Error & { stdout?: string; stderr?: string }) => [error.message, error.stdout, error.stderr].filter(Boolean).join('\n'),
    )
  return { name: fault.name, kind: fault.kind, service: fault.service, startedMs, brokenMs, mendedMs, wholeMs: performance.now(), failure }
}

/** Kills the only instance there is of a service, by itself and within a deploy; the load meanwhile is what tells how long it was away. */
async function* killsAlone(platform: ChaosPlatform, service: Service): AsyncGenerator<Episode, void, undefined> {
  await platform.maru('scale', `${service}=1`)
  await platform.untilWhole(service, [], 1)
  await sleep(calmMs)
  for (const fault of killsOfTheOnly(service)) {
    yield await live(platform, fault, Math.random)
    await sleep(calmMs)
  }
  await platform.maru('scale', `${service}=2`)
  await platform.untilWhole(service)
}

async function aftermath(
  platform: ChaosPlatform,
  operator: Client,
  traders: readonly Trader[],
  streams: readonly StreamWatcher[],
): Promise<Pick<ChaosResult, 'orders' | 'faults' | 'position' | 'stateHash'>> {
  const orders: ChaosResult['orders'] = { told: 0, lost: [], doubled: [], other: [] }
  const faults = [...traders.flatMap((trader) => trader.faults), ...streams.flatMap((stream) => stream.faults)]
  const urls = (await platform.ready('trading')).map(({ url }) => url)
  for (const trader of traders) {
    const found = await ordersAtOdds(trader)
    orders.told += trader.told.size
    orders.lost.push(...found.lost)
    orders.doubled.push(...found.doubled)
    orders.other.push(...found.other)
    faults.push(...(await streamFaults(trader.client)), ...(await openOrdersDiffer(urls, trader.client)))
  }
  const trading = new Client(`${platform.url}/api/trading`)
  trading.token = operator.token
  const end = await endState(urls, trading)
  faults.push(...end.faults)
  return { orders, faults, position: end.position, stateHash: end.stateHash }
}

function sentence({ name, startedMs, wholeMs, failure }: Episode): string {
  return failure === undefined ? `${name}: whole again after ${((wholeMs - startedMs) / 1_000).toFixed(1)} s` : `${name}: ${failure}`
}

function clock(sinceMs: number): string {
  const seconds = Math.floor((performance.now() - sinceMs) / 1_000)
  return `${String(Math.floor(seconds / 60)).padStart(2)}:${String(seconds % 60).padStart(2, '0')}`
}

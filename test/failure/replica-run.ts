import { setTimeout as sleep } from 'node:timers/promises'
import { verifyAccountStream } from '../../apps/cli/verify/account-stream.ts'
import { Client, eventually } from '../support/client.ts'
import { startReplicaPlatform, type ReplicaPlatform } from './replica-platform.ts'
import { RetryingTrader } from './retrying-trader.ts'
import { randomNumbers } from './seeded.ts'

const traderCount = 12

export interface ReplicaRun {
  /** Broken promises, each in a sentence; none if all held. */
  faults: string[]
  /** What was done and how it went, for a person. */
  summary: Record<string, number | string>
}

interface Reconciliation {
  assets: { asset: string; difference: string }[]
  replicas: { id: string; position: number; state_hash: string }[]
}

/**
 * Two replicas under orders by HTTP through the gateway, one or the other killed -9 every few seconds and started again. Held against what the traders
 * were told: each order is there once and as was said, streams have no gap, the books add up, and both replicas end with the same state.
 */
export async function runReplicas(options: { seconds: number; seed: number }): Promise<ReplicaRun> {
  const random = randomNumbers(options.seed)
  await using platform = await startReplicaPlatform()
  const traders: RetryingTrader[] = []
  for (let number = 1; number <= traderCount; number++) {
    const client = await platform.register(`trader${number}`)
    traders.push(new RetryingTrader(client, `t${number}`, randomNumbers(options.seed + number)))
  }
  let answeredMs = performance.now()
  let silenceMs = 0
  for (const trader of traders) {
    trader.onSuccess = () => {
      silenceMs = Math.max(silenceMs, performance.now() - answeredMs)
      answeredMs = performance.now()
    }
  }
  const stop = new AbortController()
  const startedMs = performance.now()
  const running = Promise.all(traders.map((trader) => trader.run(stop.signal)))
  const restartsMs: number[] = []
  while (performance.now() - startedMs < options.seconds * 1_000) {
    await sleep(1_500 + random() * 2_500)
    restartsMs.push(await platform.replace(random() < 0.5 ? 0 : 1))
  }
  stop.abort()
  await running
  const seconds = (performance.now() - startedMs) / 1_000
  const faults = traders.flatMap((trader) => trader.faults)
  for (const trader of traders) faults.push(...(await ordersAtOdds(platform, trader)), ...(await streamFaults(trader.client)))
  const state = await endState(platform, faults)

  const latencies = traders.flatMap(({ latenciesMs }) => latenciesMs).sort((a, b) => a - b)
  const at = (share: number): number => Math.round(latencies[Math.floor((latencies.length - 1) * share)] ?? 0)
  const sum = (figure: (trader: RetryingTrader) => number): number => traders.reduce((total, trader) => total + figure(trader), 0)
  return {
    faults,
    summary: {
      seed: options.seed,
      seconds: Math.round(seconds),
      kills: restartsMs.length,
      'requests answered': latencies.length,
      'requests/s': Math.round(latencies.length / seconds),
      'orders taken': sum(({ told }) => [...told.values()].filter((told) => 'id' in told).length),
      'orders refused': sum(({ told }) => [...told.values()].filter((told) => 'refusal' in told).length),
      'asked again once': sum(({ retries }) => retries),
      'p50 ms': at(0.5),
      'p99 ms': at(0.99),
      'longest ms, with its retry': at(1),
      'longest silence of all, ms': Math.round(silenceMs),
      'restart to ready, ms, longest': Math.round(Math.max(...restartsMs)),
      ...state,
      'broken promises': faults.length,
    },
  }
}

interface OrderItem {
  id: string
  client_order_id: string
  status: string
  reject_code: string | null
}

const listsWithinMs = 30_000
const finals = new Set(['FILLED', 'CANCELLED', 'REJECTED', 'EXPIRED'])

/** What the platform says of a trader's orders that is not what the trader was told. */
async function ordersAtOdds(platform: ReplicaPlatform, trader: RetryingTrader): Promise<string[]> {
  const faults: string[] = []
  // Lists follow at some distance, the further the busier the machine: what is missing after a while is lost.
  const found = await eventually(
    () => ordersByClientId(trader),
    (orders) => [...trader.told.keys()].every((clientOrderId) => orders.has(clientOrderId)),
    listsWithinMs,
  ).catch(() => ordersByClientId(trader))
  for (const [clientOrderId, orders] of found) {
    if (!trader.sent.has(clientOrderId)) faults.push(`order ${orders[0]!.id} was sent by nobody`)
    if (orders.length > 1) faults.push(`${clientOrderId} was doubled: ${orders.map(({ id }) => id).join(', ')}`)
  }
  for (const [clientOrderId, told] of trader.told) {
    const [order] = found.get(clientOrderId) ?? []
    if (!order) faults.push(`${clientOrderId} was lost: it was told ${JSON.stringify(told)}`)
    else if ('refusal' in told ? order.reject_code !== told.refusal : order.id !== told.id)
      faults.push(`${clientOrderId} was told ${JSON.stringify(told)} and is ${JSON.stringify(order)}`)
    else if ('status' in told && finals.has(told.status) && order.status !== told.status)
      faults.push(`${clientOrderId} was told ${told.status} and is ${order.status}`)
  }
  // Both replicas know each open order alike, in memory.
  const open = await Promise.all(
    platform.instances.map((instance) => directly(instance.url, trader.client).get<unknown>('/orders?limit=500&status=PENDING')),
  )
  if (JSON.stringify(open[0]!.body) !== JSON.stringify(open[1]!.body))
    faults.push(`the replicas show other open orders of ${trader.client.userId}`)
  return faults
}

async function ordersByClientId(trader: RetryingTrader): Promise<Map<string, OrderItem[]>> {
  const found = new Map<string, OrderItem[]>()
  for await (const order of pagesOf<OrderItem>(trader.client, '/orders?limit=500')) {
    const known = found.get(order.client_order_id)
    if (known) known.push(order)
    else found.set(order.client_order_id, [order])
  }
  return found
}

async function streamFaults(client: Client): Promise<string[]> {
  const events: unknown[] = []
  for await (const event of pagesOf<unknown>(client, `/accounts/${client.userId}/events?limit=1000`)) events.push(event)
  const verdict = verifyAccountStream(JSON.stringify(events))
  if (!verdict.isGood) return [`stream of ${client.userId}, event ${verdict.sequence}: ${verdict.fault}`]
  return verdict.first === 1 ? [] : [`the stream of ${client.userId} begins with event ${verdict.first}`]
}

/** Waits until both replicas have hashed the same position, and looks at what they found. */
async function endState(platform: ReplicaPlatform, faults: string[]): Promise<Record<string, number | string>> {
  let last: Reconciliation | undefined
  for (const instance of platform.instances) {
    const { body } = await eventually(
      () => directly(instance.url, platform.operator).get<Reconciliation>('/reconciliation'),
      ({ body: { replicas } }) => replicas.length === 2 && replicas[0]!.position === replicas[1]!.position,
      20_000,
    )
    for (const { asset, difference } of body.assets) if (difference !== '0') faults.push(`${asset} does not add up: ${difference}`)
    if (body.replicas[0]!.state_hash !== body.replicas[1]!.state_hash) faults.push(`the replicas differ: ${JSON.stringify(body.replicas)}`)
    last = body
  }
  return { 'commands at the end': last!.replicas[0]!.position, 'state hash of both': last!.replicas[0]!.state_hash }
}

function directly(url: string, client: Client): Client {
  const other = new Client(url)
  other.token = client.token
  return other
}

async function* pagesOf<T>(client: Client, path: string): AsyncGenerator<T, void, undefined> {
  let cursor: string | null = null
  do {
    const page: { status: number; body: { items: T[]; next_cursor: string | null } } = await client.get(
      `${path}${cursor === null ? '' : `&cursor=${cursor}`}`,
    )
    if (page.status !== 200) throw new Error(`${path}: ${page.status} ${JSON.stringify(page.body)}`)
    yield* page.body.items
    cursor = page.body.next_cursor
  } while (cursor !== null)
}

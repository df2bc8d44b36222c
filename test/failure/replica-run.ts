import { setTimeout as sleep } from 'node:timers/promises'
import { endState, openOrdersDiffer, ordersAtOdds, streamFaults } from './aftermath.ts'
import { startReplicaPlatform } from './replica-platform.ts'
import { RetryingTrader } from './retrying-trader.ts'
import { randomNumbers } from './seeded.ts'

const traderCount = 12

export interface ReplicaRun {
  /** Broken promises, each in a sentence; none if all held. */
  faults: string[]
  /** What was done and how it went, for a person. */
  summary: Record<string, number | string>
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
  const urls = platform.instances.map(({ url }) => url)
  const faults = traders.flatMap(({ trader }) => trader.faults)
  for (const { trader } of traders) {
    const { lost, doubled, other } = await ordersAtOdds(trader)
    faults.push(...lost, ...doubled, ...other, ...(await openOrdersDiffer(urls, trader.client)), ...(await streamFaults(trader.client)))
  }
  const end = await endState(urls, platform.operator)
  faults.push(...end.faults)

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
      'orders taken': sum(({ trader }) => [...trader.told.values()].filter((told) => 'id' in told).length),
      'orders refused': sum(({ trader }) => [...trader.told.values()].filter((told) => 'refusal' in told).length),
      'asked again once': sum(({ retries }) => retries),
      'p50 ms': at(0.5),
      'p99 ms': at(0.99),
      'longest ms, with its retry': at(1),
      'longest silence of all, ms': Math.round(silenceMs),
      'restart to ready, ms, longest': Math.round(Math.max(...restartsMs)),
      'commands at the end': end.position,
      'state hash of both': end.stateHash,
      'broken promises': faults.length,
    },
  }
}

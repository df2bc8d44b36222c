import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import { exchangeRuntime } from '@maru/service-host/runtime'
import type { Answer, Ask } from './exchange-side.ts'
import { commandCount, type StreamShape } from './exchange-stream.ts'
import { benchRow, formatTable, median, type BenchRow, type Target } from './report.ts'

const rounds = 11
/** A round of the baseline takes ten times as long: of our own so many make one, so that both sides meet the machine in all its moods. */
const ownRuns = 3
/** The one that the supervisor gives its services. */
const compileCache = path.resolve(import.meta.dirname, '../node_modules/.cache/maru')

/**
 * The state machine, with accounts, ledger, positions and limits on, beside the matching of npm `nodejs-order-book` without any of them, on the
 * same stream: limit orders around the middle, cancels, and orders that trade. Each side is a process of its own, started as
 * the supervisor starts the trading service; they take turns, and are checked to end with the same books.
 */
export async function run(): Promise<BenchRow[]> {
  await fillCompileCache()
  const rows: BenchRow[] = []
  for (const { ratio, ...shape } of [
    { symbols: 1, resting: 1_000, ratio: 12 },
    { symbols: 50, resting: 1_000, ratio: 18 },
    { symbols: 1, resting: 100_000, ratio: 8 },
  ]) {
    using own = await startSide('own', shape)
    using other = await startSide('baseline', shape)
    const [ownRates, otherRates]: [number[], number[]] = [[], []]
    for (let round = 0; round < rounds; round++) {
      const theirs = await other.ask('round')
      otherRates.push(commandCount / theirs.value)
      for (let run = 0; run < ownRuns; run++) {
        const mine = await own.ask('round')
        if (mine.books !== theirs.books) throw new Error('the two sides did not trade alike')
        ownRates.push(commandCount / mine.value)
      }
    }
    const times: Answer[] = []
    for (let round = 0; round < rounds; round++) times.push(await own.ask('times'))
    const name = nameOf(shape)
    const baseline = { name: 'nodejs-order-book, no accounts', value: median(otherRates) }
    const atMost = (bound: number): Target => ({ of: 'value', is: 'at most', bound })
    rows.push(
      benchRow({ name, unit: 'commands/s', value: median(ownRates), baseline, target: { of: 'ratio', is: 'at least', bound: ratio } }),
      benchRow({ name: `${name}, p99`, unit: 'µs', value: median(times.map(({ value }) => value)), target: atMost(3) }),
      benchRow({ name: `${name}, p99.9`, unit: 'µs', value: median(times.map(({ p999 = 0 }) => p999)), target: atMost(10) }),
    )
  }
  rows.push(await withClientIds())
  return rows
}

export function nameOf({ symbols, resting }: StreamShape): string {
  return `exchange: ${symbols} symbol${symbols === 1 ? '' : 's'}, ${resting.toLocaleString('en-US')} resting a side`
}

/** A process writes what it compiled when it ends; from then on both sides start as services do from their second start on. */
async function fillCompileCache(): Promise<void> {
  for (const side of ['own', 'baseline'] as const) {
    using started = await startSide(side, { symbols: 1, resting: 100 })
    await started.end()
  }
}

/** What remembering a client order id of every order costs: stated, since the baseline has nothing like it. */
async function withClientIds(): Promise<BenchRow> {
  using own = await startSide('own', { symbols: 1, resting: 1_000, withClientIds: true })
  const rates: number[] = []
  for (let round = 0; round < rounds; round++) rates.push(commandCount / (await own.ask('round')).value)
  return benchRow({ name: 'exchange: 1 symbol, every order with a client order id', unit: 'commands/s', value: median(rates) })
}

interface SideProcess extends Disposable {
  ask(ask: Ask): Promise<Answer>
  /** Resolves once the process is gone. */
  end(): Promise<void>
}

export async function startSide(side: 'own' | 'baseline', { symbols, resting, withClientIds = false }: StreamShape): Promise<SideProcess> {
  const asked = [side, String(symbols), String(resting), ...(withClientIds ? ['client-ids'] : [])]
  const child = fork(path.join(import.meta.dirname, 'exchange-side.ts'), asked, {
    execArgv: [...exchangeRuntime.execArgv],
    env: { ...process.env, ...exchangeRuntime.environment, NODE_COMPILE_CACHE: compileCache },
  })
  await answerOf(child)
  return {
    ask(ask) {
      child.send(ask)
      return answerOf(child) as Promise<Answer>
    },
    async end() {
      const ended = once(child, 'exit')
      child.disconnect()
      await ended
    },
    [Symbol.dispose]() {
      if (child.connected) child.disconnect()
    },
  }
}

/** The next message of a process; rejects where it ends instead. */
async function answerOf(child: ChildProcess): Promise<unknown> {
  const over = new AbortController()
  const exited = once(child, 'exit', { signal: over.signal }).then(([code]) => Promise.reject(new Error(`a side ended with ${code}`)))
  try {
    const [message] = (await Promise.race([once(child, 'message', { signal: over.signal }), exited])) as [unknown]
    return message
  } finally {
    exited.catch(() => undefined)
    over.abort()
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) console.log(formatTable(await run()))

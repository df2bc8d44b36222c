import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { access, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { CommandKind, OrderType, Side, TimeInForce, type Command } from '@maru/contracts/commands'
import { nameOf, startSide } from './exchange.ts'
import { commandCount, makeStream, type StreamShape } from './exchange-stream.ts'
import { benchRow, formatTable, median, type BenchRow } from './report.ts'

const execute = promisify(execFile)
const folder = path.join(import.meta.dirname, 'exchange-core')
const libraries = path.join(folder, 'lib')
const rounds = 7
/** The JVM compiles while it runs: so many rounds are not counted. */
const warmUpRounds = 15
/** What its libraries reach into, which a newer JDK allows only when it is told to. */
const opened = ['java.lang', 'java.lang.reflect', 'java.nio'].flatMap((name) => ['--add-opens', `java.base/${name}=ALL-UNNAMED`])
const exported = ['jdk.internal.ref', 'sun.nio.ch'].flatMap((name) => ['--add-exports', `java.base/${name}=ALL-UNNAMED`])

/**
 * The state machine beside exchange-core (Apache-2.0, fetched from Maven Central): its risk and matching engines on one thread, on the same stream, each side
 * a process of its own; they take turns, and are checked to end with the same books. Needs a JDK and Maven; without them it says so and gives no row.
 */
export async function run(): Promise<BenchRow[]> {
  const missing = await prepare()
  if (missing !== undefined) {
    console.log(`exchange-core: left out, ${missing}`)
    return []
  }
  const rows: BenchRow[] = []
  for (const shape of [
    { symbols: 1, resting: 1_000 },
    { symbols: 50, resting: 1_000 },
  ]) {
    using own = await startSide('own', shape)
    await using other = await startExchangeCore(shape)
    for (let round = 0; round < warmUpRounds; round++) await other.round()
    const [ownRates, otherRates]: [number[], number[]] = [[], []]
    for (let round = 0; round < rounds; round++) {
      const mine = await own.ask('round')
      const theirs = await other.round()
      if (mine.books !== theirs.books) throw new Error('the two sides did not trade alike')
      ownRates.push(commandCount / mine.value)
      otherRates.push(commandCount / theirs.seconds)
    }
    rows.push(
      benchRow({
        name: `${nameOf(shape)}, beside exchange-core`,
        unit: 'commands/s',
        value: median(ownRates),
        baseline: { name: 'exchange-core 0.5.3, one thread', value: median(otherRates) },
      }),
    )
  }
  return rows
}

/** Fetches and compiles the other side, once; why it cannot, where it cannot. */
async function prepare(): Promise<string | undefined> {
  for (const [tool, version] of [
    ['javac', '-version'],
    ['mvn', '--version'],
  ] as const) {
    const found = await execute(tool, [version]).catch(() => undefined)
    if (!found) return `there is no ${tool} on this machine`
  }
  try {
    await access(libraries).catch(() =>
      execute('mvn', ['-q', '-B', '-f', path.join(folder, 'pom.xml'), 'dependency:copy-dependencies', `-DoutputDirectory=${libraries}`]),
    )
    await execute('javac', ['-cp', `${libraries}/*`, '-d', path.join(folder, 'classes'), path.join(folder, 'ExchangeCoreSide.java')])
    return undefined
  } catch (error) {
    return `it could not be fetched and compiled: ${(error as Error).message.split('\n')[0]}`
  }
}

interface OtherSide extends AsyncDisposable {
  round(): Promise<{ seconds: number; books: string }>
}

async function startExchangeCore(shape: StreamShape): Promise<OtherSide> {
  const work = await mkdtemp(path.join(tmpdir(), 'maru-bench-'))
  const file = path.join(work, 'stream.bin')
  await writeFile(file, encodeStream(shape))
  const child = spawn('java', [...opened, ...exported, '-cp', `${path.join(folder, 'classes')}:${libraries}/*`, 'ExchangeCoreSide', file], {
    stdio: ['pipe', 'pipe', 'ignore'],
  })
  const lines = createInterface({ input: child.stdout })
  const ended = once(child, 'exit')
  return {
    async round() {
      const answer = once(lines, 'line') as Promise<[string]>
      child.stdin.write('round\n')
      const over = ended.then(([code]) => Promise.reject(new Error(`exchange-core ended with ${code}`)))
      over.catch(() => undefined)
      const [line] = await Promise.race([answer, over])
      const [seconds, books] = line.split(' ') as [string, string]
      return { seconds: Number(seconds), books }
    },
    async [Symbol.asyncDispose]() {
      child.stdin.end()
      await ended
      await rm(work, { recursive: true, force: true })
    },
  }
}

const headerBytes = 16
const recordBytes = 48
/** Beyond all that is in the books: exchange-core has no market orders. */
const anyPrice = { [Side.buy]: 6_283_763, [Side.sell]: 6_083_763 }

/** The stream as ExchangeCoreSide reads it: symbols, users, orders of the opening, all; then a record of 48 bytes an order. */
function encodeStream(shape: StreamShape): Buffer {
  const stream = makeStream(shape)
  const isOrder = (command: Command): boolean => command.kind === CommandKind.placeOrder || command.kind === CommandKind.cancelOrder
  const opening = stream.opening.filter(isOrder)
  const commands = [...opening, ...stream.measured.filter(isOrder)]
  const users = stream.opening.filter(({ kind }) => kind === CommandKind.openAccount).length
  const bytes = Buffer.alloc(headerBytes + commands.length * recordBytes)
  for (const [at, figure] of [shape.symbols, users, opening.length, commands.length].entries()) bytes.writeInt32LE(figure, at * 4)
  const symbolOf: number[] = [0]
  let at = headerBytes
  for (const command of commands) {
    if (command.kind === CommandKind.placeOrder) writePlacement(bytes, at, command, symbolOf.push(command.symbol) - 1)
    else if (command.kind === CommandKind.cancelOrder) {
      bytes.writeUInt8(1, at)
      writeIds(bytes, at, symbolOf[command.order]!, command.account, command.order)
    }
    at += recordBytes
  }
  return bytes
}

function writePlacement(bytes: Buffer, at: number, order: Extract<Command, { kind: typeof CommandKind.placeOrder }>, id: number): void {
  bytes.writeUInt8(order.side, at + 1)
  bytes.writeUInt8(order.timeInForce === TimeInForce.ioc ? 1 : 0, at + 2)
  writeIds(bytes, at, order.symbol, order.account, id)
  bytes.writeBigInt64LE(BigInt(order.orderType === OrderType.market ? anyPrice[order.side] : order.price), at + 24)
  bytes.writeBigInt64LE(BigInt(order.quantity), at + 32)
}

/** Symbols and users count from 1 there. */
function writeIds(bytes: Buffer, at: number, symbol: number, account: number, order: number): void {
  bytes.writeInt32LE(symbol + 1, at + 4)
  bytes.writeBigInt64LE(BigInt(account + 1), at + 8)
  bytes.writeBigInt64LE(BigInt(order), at + 16)
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) console.log(formatTable(await run()))

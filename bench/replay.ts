import pg from 'pg'
import { topics, type Command } from '@maru/contracts'
import { encodeBatch } from '@maru/contracts/commands-codec'
import { Exchange } from '@maru/domain/exchange'
import { openPostgresEventLog, type EventLog } from '@maru/event-log'
import { createLogger } from '@maru/service-host'
import { Replica } from '../services/trading/replica/replica.ts'
import { startTestServer } from '../test/support/postgres.ts'
import { makeStream } from './exchange-stream.ts'
import { benchRow, formatTable, median, type BenchRow } from './report.ts'

const rounds = 5
/** As a busy instance joins them. */
const commandsPerRecord = 200
const rowsPerPage = 5_000

/**
 * A replica brought up to date from PostgreSQL, as at a start without a snapshot: commands read, decoded and applied, beside the same commands as a row of
 * JSON each, read by pages, parsed and applied by the same exchange.
 */
export async function run(): Promise<BenchRow[]> {
  return [...(await measure(false)), ...(await measure(true))]
}

async function measure(withClientIds: boolean): Promise<BenchRow[]> {
  await using server = await startTestServer()
  await using log = await openPostgresEventLog({ connectionString: server.urls.trading, applicationName: 'bench' })
  await using pool = Object.assign(new pg.Pool({ connectionString: server.urls.trading, max: 1 }), {
    [Symbol.asyncDispose]: () => pool.end(),
  })
  const { opening, measured } = makeStream({ symbols: 1, resting: 1_000, withClientIds })
  const commands = [...opening, ...measured]
  await fill(log, pool, commands)
  const hashes = new Set<string>()
  const own: number[] = []
  const rows: number[] = []
  for (let round = 0; round < rounds; round++) {
    own.push(await rateOf(commands.length, hashes, (exchange) => replay(log, exchange)))
    rows.push(await rateOf(commands.length, hashes, (exchange) => replayRows(pool, exchange)))
  }
  if (hashes.size !== 1) throw new Error('the two did not lead to the same state')
  return [
    benchRow({
      name: `replay: from PostgreSQL${withClientIds ? ', every order with a client order id' : `, ${commandsPerRecord} commands a record`}`,
      unit: 'commands/s',
      value: median(own),
      baseline: { name: 'the same commands as rows of JSON', value: median(rows) },
      ...(withClientIds ? {} : { target: { of: 'value', is: 'at least', bound: 1_000_000 } as const }),
    }),
  ]
}

async function fill(log: EventLog, pool: pg.Pool, commands: readonly Command[]): Promise<void> {
  await pool.query('create table command_rows (id bigint generated always as identity primary key, body json not null)')
  let sequence = 0
  for (let at = 0; at < commands.length; at += commandsPerRecord) {
    const batch = commands.slice(at, at + commandsPerRecord)
    sequence += 1
    await log.append(topics.tradingCommands, encodeBatch(batch), { producer: 'bench', sequence })
    await pool.query('insert into command_rows (body) select * from unnest($1::json[])', [batch.map((command) => JSON.stringify(command))])
  }
  await pool.query('vacuum analyze command_rows')
}

async function rateOf(commands: number, hashes: Set<string>, replayInto: (exchange: Exchange) => Promise<void>): Promise<number> {
  const exchange = new Exchange()
  const begin = performance.now()
  await replayInto(exchange)
  const rate = (commands / (performance.now() - begin)) * 1_000
  hashes.add(exchange.stateHash())
  return rate
}

async function replay(log: EventLog, exchange: Exchange): Promise<void> {
  const logger = createLogger({ service: 'bench', instanceId: 'bench', level: 'silent' })
  const onFatal = (error: unknown): void => {
    throw error
  }
  await new Replica({ exchange, offset: 0, log, producer: 'bench-reader', logger, onFatal }).catchUp()
}

async function replayRows(pool: pg.Pool, exchange: Exchange): Promise<void> {
  for (let after = 0; ;) {
    const { rows } = await pool.query<{ id: string; body: Command }>({
      name: 'page',
      text: 'select id, body from command_rows where id > $1 order by id limit $2',
      values: [after, rowsPerPage],
    })
    for (const { body } of rows) exchange.apply(body)
    if (rows.length < rowsPerPage) return
    after = Number(rows.at(-1)!.id)
  }
}

if (import.meta.main) process.stdout.write(`${formatTable(await run())}\n`)

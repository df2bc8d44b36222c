import { mkdir, rename, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { formatTable, type BenchModule, type BenchRow } from './report.ts'

/** The benchmarks, in the order in which they run; each is a module `bench/<name>.ts`. */
const names: readonly string[] = [
  'exchange',
  'exchange-core',
  'log',
  'replay',
  'snapshot',
  'gateway',
  'hop',
  'relay',
  'orders',
  'sockets',
  'discovery',
  'publishing',
  'start',
]

/** Those that take minutes run only when they are asked for. */
const longNames: readonly string[] = ['slow-readers', 'soak']

const wanted = process.argv.slice(2)
const unknown = wanted.filter((name) => !names.includes(name) && !longNames.includes(name))
if (unknown.length > 0) {
  process.stderr.write(
    `There is no benchmark ${unknown.map((name) => `"${name}"`).join(', ')}; there are: ${[...names, ...longNames].join(', ')}.\n`,
  )
  process.exit(64)
}

const rows: BenchRow[] = []
const failed: string[] = []
for (const name of [...names, ...longNames]) {
  if (wanted.length > 0 ? !wanted.includes(name) : longNames.includes(name)) continue
  process.stderr.write(`${name} …\n`)
  try {
    const module = (await import(`./${name}.ts`)) as BenchModule
    rows.push(...(await module.run()))
  } catch (error) {
    failed.push(name)
    process.stderr.write(`${name} failed: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`)
  }
}

process.stdout.write(`${formatTable(rows)}\n`)
const missed = rows.filter((row) => !row.met)
if (missed.length > 0) process.stdout.write(`\nNot met: ${missed.map((row) => row.name).join('; ')}\n`)
if (failed.length > 0) process.stdout.write(`\nFailed: ${failed.join(', ')}\n`)

const folder = path.join(import.meta.dirname, 'results')
await mkdir(folder, { recursive: true })
const file = path.join(folder, 'latest.json')
await writeFile(`${file}.new`, `${JSON.stringify(rows, null, 2)}\n`)
await rename(`${file}.new`, file)
process.exit(failed.length > 0 ? 1 : 0)

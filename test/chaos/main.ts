import { parseArgs } from 'node:util'
import { inOwnNamespaces } from './namespace.ts'
import { reportOf } from './report.ts'
import { runChaos } from './run.ts'
import { judge } from './verdict.ts'

/** `npm run chaos -- --minutes 10 --seed 7`: prints what was broken and what came of it; ends with 1 if a promise was not kept. */
const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '10' },
    seed: { type: 'string', default: '1' },
    /** Only faults in whose names this text is. */
    only: { type: 'string', default: '' },
    /** Where the logs of the services are kept, for a look at what went wrong. */
    logs: { type: 'string' },
  },
})
const [minutes, seed] = [Number(values.minutes), Number(values.seed)]
if (!(minutes > 0 && minutes <= 24 * 60) || !Number.isSafeInteger(seed)) {
  process.stderr.write('--minutes takes a number above 0, at most 1440; --seed a whole number\n')
  process.exit(2)
}
const inside = await inOwnNamespaces()
if (inside === undefined) {
  const interrupted = new AbortController()
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => interrupted.abort(new Error(`interrupted by ${name}`)))
  const say = (line: string): void => void process.stdout.write(`${line}\n`)
  const result = await runChaos({ minutes, seed, only: values.only, logsFolder: values.logs, say, signal: interrupted.signal })
  const verdict = judge(result)
  say(reportOf(result, verdict))
  process.exitCode = verdict.broken.length > 0 ? 1 : 0
} else process.exitCode = inside

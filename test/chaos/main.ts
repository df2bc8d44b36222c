import { readOptions, refuseOptions } from '@maru/service-host/options'
import { inOwnNamespaces } from './namespace.ts'
import { reportOf } from './report.ts'
import { runChaos } from './run.ts'
import { judge } from './verdict.ts'

/** `npm run chaos -- --minutes 10 --seed 7`: prints what was broken and what came of it; ends with 1 if a promise was not kept. */
const usage = `usage: npm run chaos -- [--minutes 10] [--seed 1] [--only TEXT] [--logs FOLDER]
  --only  only faults in whose names this text is
  --logs  where the logs of the services are kept, for a look at what went wrong`
const values = readOptions(usage, {
  minutes: { type: 'string', default: '10' },
  seed: { type: 'string', default: '1' },
  only: { type: 'string', default: '' },
  logs: { type: 'string' },
})
const [minutes, seed] = [Number(values.minutes), Number(values.seed)]
if (!(minutes > 0 && minutes <= 24 * 60) || !Number.isSafeInteger(seed))
  refuseOptions(usage, '--minutes takes a number above 0, at most 1440; --seed a whole number')
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

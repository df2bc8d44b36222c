import { readOptions, refuseOptions } from '@maru/service-host/options'
import { runReplicas } from './replica-run.ts'

/** `npm run test:replicas -- --seconds 120 --seed 7`: prints what was done; ends with 1 if a promise was broken. */
const usage = 'usage: npm run test:replicas -- [--seconds 120] [--seed 1]'
const values = readOptions(usage, { seconds: { type: 'string', default: '120' }, seed: { type: 'string', default: '1' } })
const [seconds, seed] = [Number(values.seconds), Number(values.seed)]
if (!(seconds > 0) || !Number.isSafeInteger(seed)) refuseOptions(usage, '--seconds takes a number above 0, --seed a whole number')
const { faults, summary } = await runReplicas({ seconds, seed })
for (const [name, value] of Object.entries(summary)) process.stdout.write(`${name.padEnd(32)} ${value}\n`)
for (const fault of faults.slice(0, 50)) process.stdout.write(`BROKEN: ${fault}\n`)
process.exitCode = faults.length > 0 ? 1 : 0

/** `npm run test:simulation -- --runs 2000 --seed 1`: runs one seed after another; exits 1 at the first broken promise, with its seed. */
import { readOptions, refuseOptions } from '@maru/service-host/options'
import { faultKinds, type FaultKind } from './faults.ts'
import { simulate, type Report } from './simulation.ts'

const usage = 'usage: npm run test:simulation -- [--runs 2000] [--seed 1] [--trace]'
const values = readOptions(usage, {
  runs: { type: 'string', default: '2000' },
  seed: { type: 'string', default: '1' },
  trace: { type: 'boolean', default: false },
})
const [runs, firstSeed] = [Number(values.runs), Number(values.seed)]
if (!Number.isSafeInteger(runs) || runs < 1 || !Number.isSafeInteger(firstSeed))
  refuseOptions(usage, '--runs and --seed are whole numbers, --runs at least 1')

const progressEvery = 250
const total = { commands: 0, events: 0, acknowledged: 0, steps: 0, simulatedMs: 0 }
const faults = new Map<FaultKind, number>()
const startedMs = performance.now()
const seconds = (): string => ((performance.now() - startedMs) / 1_000).toFixed(1)
const processorSeconds = (): string => {
  const { user, system } = process.cpuUsage()
  return ((user + system) / 1_000_000).toFixed(1)
}
const say = (text: string): void => void process.stdout.write(`${text}\n`)

function add(report: Report): void {
  for (const key of Object.keys(total) as (keyof typeof total)[]) total[key] += report[key]
  for (const [kind, count] of report.faults) faults.set(kind, (faults.get(kind) ?? 0) + count)
}

function summary(done: number): string {
  const counted = faultKinds.map((kind) => `${kind} ${faults.get(kind) ?? 0}`).join(', ')
  return [
    `${done} runs (seeds ${firstSeed} to ${firstSeed + done - 1}) in ${seconds()} s (${processorSeconds()} s of processor time), ${(total.simulatedMs / 60_000).toFixed(0)} simulated minutes`,
    `${total.commands} commands, ${total.events} events, ${total.acknowledged} acknowledgements, ${total.steps} steps`,
    `faults: ${counted}`,
  ].join('\n')
}

let failed = false
let done = 0
for (let seed = firstSeed; seed < firstSeed + runs && !failed; seed++) {
  const report = await simulate(seed)
  done += 1
  add(report)
  if (report.violation || values.trace) for (const step of report.lastSteps) say(`  ${step}`)
  if (report.violation) {
    failed = true
    say(`FAILED seed ${seed} after ${report.commands} commands, ${report.simulatedMs.toFixed(1)} simulated ms: ${report.violation.message}`)
    say(`to repeat it: npm run test:simulation -- --runs 1 --seed ${seed}`)
  } else if (done % progressEvery === 0) say(`${done} of ${runs} runs hold (${seconds()} s)`)
}
say(summary(done))
if (!failed) say('every promise held')
process.exitCode = failed ? 1 : 0

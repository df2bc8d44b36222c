import { expect, test } from 'vitest'
import { runReplicas } from './replica-run.ts'

/** Set MARU_TEST_SEED to repeat a run. `npm run test:replicas -- --seconds 120` runs the same for longer. */
const seed = Number(process.env['MARU_TEST_SEED'] ?? 20_260_105)

test(
  'two replicas under load, one killed every few seconds: no request fails after its retry, no order is lost or doubled, both end alike',
  { timeout: 180_000 },
  async () => {
    const { faults, summary } = await runReplicas({ seconds: 12, seed })
    process.stdout.write(`two replicas: ${JSON.stringify(summary)}\n`)
    expect(faults).toEqual([])
    expect(summary['kills']).toBeGreaterThanOrEqual(2)
    expect(summary['orders taken']).toBeGreaterThan(100)
  },
)

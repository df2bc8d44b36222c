import type { Gate } from '../gate.ts'
import { linesOf, runTool } from '../run-tool.ts'

/** oxlint with its type-aware rules; which ones hold where stands in `.oxlintrc.json`. */
export const lint: Gate = {
  name: 'lint',
  badFixture: {
    folder: 'lint',
    mustReport: [
      'no-floating-promises',
      'no-misused-promises',
      'await-thenable',
      'no-explicit-any',
      'no-focused-tests',
      'no-process-env',
      'no-process-exit',
      'no-empty',
      'no-console',
      'switch-exhaustiveness-check',
      "'Date'",
      'Math.random',
    ],
  },
  async inspect(root) {
    const { exitCode, output } = await runTool('oxlint/bin/oxlint', ['--type-aware', '--format', 'unix', '--deny-warnings'], root)
    const lines = linesOf(output).filter((line) => !/^\d+ problems?$/.test(line))
    return exitCode === 0 ? [] : lines
  },
}

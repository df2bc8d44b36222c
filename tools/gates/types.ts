import type { Gate } from '../gate.ts'
import { linesOf, runTool } from '../run-tool.ts'

/** The whole tree, then `domain/` once more with neither DOM nor Node, where `fetch`, `process` and timers do not compile. */
export const types: Gate = {
  name: 'types',
  badFixture: {
    folder: 'types',
    mustReport: ['unchecked.ts(', 'domain/impure.ts(2', 'domain/impure.ts(3', 'domain/impure.ts(4'],
  },
  async inspect(root) {
    const findings = new Set<string>()
    for (const project of ['tsconfig.json', 'domain/tsconfig.json']) {
      const { exitCode, output } = await runTool('typescript/bin/tsc', ['-p', project, '--pretty', 'false'], root)
      if (exitCode !== 0) for (const line of linesOf(output)) findings.add(line)
    }
    return [...findings]
  },
}

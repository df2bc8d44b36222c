import type { Gate } from '../gate.ts'
import { linesOf, runTool } from '../run-tool.ts'

/** Files, exports and dependencies that nothing uses, and imports of packages that a workspace does not declare. */
export const deadCode: Gate = {
  name: 'dead code',
  badFixture: { folder: 'dead-code', mustReport: ['unused-file.ts', 'unusedExport', 'left-over-package', 'undeclared-package'] },
  async inspect(root) {
    const { exitCode, output } = await runTool('knip/bin/knip.js', ['--no-progress', '--no-config-hints', '--reporter', 'compact'], root)
    return exitCode === 0 ? [] : linesOf(output)
  },
}

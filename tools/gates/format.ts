import type { Gate } from '../gate.ts'
import { linesOf, runTool } from '../run-tool.ts'

export const format: Gate = {
  name: 'format',
  mend: 'npm run format',
  badFixture: { folder: 'format', mustReport: ['double-quotes.ts'] },
  async inspect(root) {
    const { exitCode, output } = await runTool('oxfmt/bin/oxfmt', ['--list-different'], root)
    return exitCode === 0 ? [] : linesOf(output)
  },
}

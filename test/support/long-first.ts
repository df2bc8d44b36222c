import { existsSync } from 'node:fs'
import path from 'node:path'
import { BaseSequencer, type TestSpecification } from 'vitest/node'

/**
 * The files that take longest, longest first; all others take less than half a minute each. Vitest begins with the files that took longest the last
 * time, but in a fresh clone it knows no times and goes by size. A small file whose processes are slow then comes last and runs alone, while the other
 * workers have nothing to do.
 */
const longest = [
  'test/lifecycle/lifecycle.test.ts',
  'test/failure/kill.test.ts',
  'services/trading/test/replicas.test.ts',
  'services/trading/test/agreement.test.ts',
  'test/end-to-end/bad-input.test.ts',
  'services/market-data/test/failover.test.ts',
  'service-host/discovery/test/conformance.test.ts',
  'postgres-server/test/server.test.ts',
  'test/failure/replicas.test.ts',
  'services/gateway/test/failures.test.ts',
  'test/end-to-end/replay.test.ts',
]

/** Begins with the long files and leaves the order of the others as it is. */
export default class LongFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const { root } = this.ctx.config
    const gone = longest.filter((file) => !existsSync(path.join(root, file)))
    if (gone.length > 0) throw new Error(`test/support/long-first.ts names what is not there: ${gone.join(', ')}`)
    const rank = ({ moduleId }: TestSpecification): number => {
      const place = longest.indexOf(path.relative(root, moduleId).replaceAll(path.sep, '/'))
      return place === -1 ? longest.length : place
    }
    return (await super.sort(files)).sort((a, b) => rank(a) - rank(b))
  }
}

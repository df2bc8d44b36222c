import { execFile } from 'node:child_process'
import path from 'node:path'
import { promisify } from 'node:util'
import type { Gate } from '../gate.ts'
import { projectRoot } from '../run-tool.ts'
import { sourceFiles } from '../source-files.ts'

interface Cruise {
  sources: string[]
  violations: { rule: string; from: string; to: string; cycle?: string[] }[]
}

const run = promisify(execFile)

/** The project has several hundred; far fewer would mean that the list of files is at fault as well. */
const projectModulesMin = 200

/** The walls between folders, as written in `.dependency-cruiser.ts`. */
export const architecture: Gate = {
  name: 'architecture',
  badFixture: {
    folder: 'architecture',
    mustReport: [
      'domain-is-pure: domain/impure.ts',
      'contracts-stand-alone',
      'event-log-knows-no-user',
      'service-host-knows-no-service',
      'services-apart',
      'apps-spawn-services',
      'services-know-no-app',
      'product-without-tests',
      'no-cycle',
      'resolvable',
    ],
  },
  async inspect(root) {
    const { stdout } = await run(process.execPath, [path.join(import.meta.dirname, '../cruise.ts'), root], {
      cwd: root,
      maxBuffer: 64 * 1_024 * 1_024,
    })
    const { sources, violations } = JSON.parse(stdout) as Cruise
    const findings = violations.map(({ rule, from, to, cycle }) => `${rule}: ${from} → ${cycle ? cycle.join(' → ') : to}`)
    if (root === projectRoot && sources.length < projectModulesMin)
      findings.push(`dependency-cruiser read ${sources.length} modules, at least ${projectModulesMin} are there`)
    return [...unreadFiles(await sourceFiles(root, ['.ts']), sources), ...findings]
  },
}

/** A rule that reads nothing finds nothing: every source file must be among the modules that were read. */
export function unreadFiles(files: readonly string[], sources: readonly string[]): string[] {
  const read = new Set(sources)
  const unread = files.filter((file) => file.includes('/') && !read.has(file))
  if (unread.length === 0) return []
  return [`dependency-cruiser read ${files.length - unread.length} of ${files.length} modules; not, for one, ${unread[0]}`]
}

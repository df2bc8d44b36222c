import { access, readFile, readdir } from 'node:fs/promises'
import path from 'node:path'
import type { Gate } from '../gate.ts'
import { sourceFiles } from '../source-files.ts'

const linesMax = 500

/** House rules that no linter knows: file size, no paths of one machine, reasons beside suppressions, what each service keeps. */
export const sourceRules: Gate = {
  name: 'source rules',
  badFixture: {
    folder: 'source-rules',
    mustReport: [
      'too-long.ts: 501 lines',
      'machine-path.ts:1',
      'bare-suppression.ts:1',
      'services/lonely: README.md is missing',
      'services/lonely: main.ts is missing',
    ],
  },
  async inspect(root) {
    const findings: string[] = []
    for (const file of await sourceFiles(root, ['.ts', '.tsx', '.sql', '.css', '.html', '.sh'])) {
      const lines = (await readFile(path.join(root, file), 'utf8')).split('\n')
      const count = lines.at(-1) === '' ? lines.length - 1 : lines.length
      if (count > linesMax) findings.push(`${file}: ${count} lines, at most ${linesMax}: split it by what its parts do`)
      for (const [index, line] of lines.entries()) {
        const fault = lineFault(line)
        if (fault !== undefined) findings.push(`${file}:${index + 1} ${fault}`)
      }
    }
    return [...findings, ...(await serviceFaults(root))]
  },
}

function lineFault(line: string): string | undefined {
  if (/['"`\s(]\/(home|root|work|Users)\/[A-Za-z.]/.test(line)) return 'names a path of one machine'
  if (/(oxlint|eslint)-disable(?!.* -- \S)/.test(line) && /^\s*(\/\/|\/\*)/.test(line))
    return 'suppresses a rule without a reason (` -- why`)'
  return undefined
}

async function serviceFaults(root: string): Promise<string[]> {
  const folder = path.join(root, 'services')
  const services = await readdir(folder, { withFileTypes: true }).catch(() => [])
  const findings: string[] = []
  for (const service of services) {
    if (!service.isDirectory()) continue
    for (const file of ['README.md', 'main.ts', 'service.ts']) {
      const isThere = await access(path.join(folder, service.name, file)).then(
        () => true,
        () => false,
      )
      if (!isThere) findings.push(`services/${service.name}: ${file} is missing`)
    }
  }
  return findings
}

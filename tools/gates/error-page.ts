import { readFile } from 'node:fs/promises'
import path from 'node:path'
import type { Gate } from '../gate.ts'
import { renderErrorPage } from '../error-page.ts'

/** docs/errors.md says what the catalogue says, for every code. */
export const errorPage: Gate = {
  name: 'error page',
  mend: 'node tools/error-page.ts',
  badFixture: { folder: 'error-page', mustReport: ['insufficient_funds is not documented', 'rate_limited is documented otherwise'] },
  async inspect(root) {
    const written = sectionsOf(await readFile(path.join(root, 'docs/errors.md'), 'utf8').catch(() => ''))
    const wanted = sectionsOf(renderErrorPage())
    const findings: string[] = []
    for (const [code, text] of wanted) {
      if (!written.has(code)) findings.push(`${code} is not documented in docs/errors.md`)
      else if (written.get(code) !== text) findings.push(`${code} is documented otherwise than in contracts/errors.ts`)
    }
    for (const code of written.keys()) if (!wanted.has(code)) findings.push(`${code} is documented but not in the catalogue`)
    return findings
  },
}

function sectionsOf(page: string): Map<string, string> {
  const sections = page.split(/^## /m).slice(1)
  return new Map(sections.map((section) => [section.slice(0, section.indexOf('\n')).trim(), section.trim()]))
}

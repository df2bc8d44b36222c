/** `npm run check`: every gate over the whole tree, then every gate over its deliberately bad fixture, which it must report. */
import { cp, mkdtemp, rm, symlink } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import type { Gate, Verdict } from './gate.ts'
import { architecture } from './gates/architecture.ts'
import { deadCode } from './gates/dead-code.ts'
import { errorPage } from './gates/error-page.ts'
import { format } from './gates/format.ts'
import { lint } from './gates/lint.ts'
import { sourceRules } from './gates/source-rules.ts'
import { types } from './gates/types.ts'
import { projectRoot } from './run-tool.ts'

const gates: readonly Gate[] = [format, lint, types, architecture, deadCode, sourceRules, errorPage]
const shownMax = 40

async function judge(gate: string, inspect: () => Promise<string[]>): Promise<Verdict> {
  const startedAt = performance.now()
  const findings = await inspect().catch((error: unknown) => [`the gate itself failed: ${(error as Error).message}`])
  return { gate, findings, durationMs: performance.now() - startedAt }
}

/** Which of its rules the gate let pass on the fixture. It runs in a folder of its own, with the very settings of the project. */
async function unreportedIn({ inspect, badFixture }: Gate): Promise<string[]> {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'maru-check-'))
  try {
    for (const file of ['.oxfmtrc.json', '.oxlintrc.json', 'knip.json', 'tsconfig.base.json', 'tsconfig.json', 'domain/tsconfig.json'])
      await cp(path.join(projectRoot, file), path.join(folder, file))
    await cp(path.join(import.meta.dirname, 'fixtures', badFixture.folder), folder, { recursive: true })
    await symlink(path.join(projectRoot, 'node_modules'), path.join(folder, 'node_modules'), 'junction')
    const findings = (await inspect(folder)).join('\n')
    return badFixture.mustReport
      .filter((text) => !findings.includes(text))
      .map((text) => `does not report "${text}" in tools/fixtures/${badFixture.folder}`)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

function report({ gate, findings, durationMs }: Verdict, mend?: string): void {
  console.log(`${findings.length === 0 ? 'ok  ' : 'FAIL'} ${gate} (${(durationMs / 1_000).toFixed(1)} s)`)
  for (const finding of findings.slice(0, shownMax)) console.log(`       ${finding}`)
  if (findings.length > shownMax) console.log(`       … and ${findings.length - shownMax} more`)
  if (findings.length > 0 && mend !== undefined) console.log(`       to mend: ${mend}`)
}

const verdicts: Verdict[] = []
for (const gate of gates) {
  const verdict = await judge(gate.name, () => gate.inspect(projectRoot))
  report(verdict, gate.mend)
  const proof = await judge(`${gate.name}: its bad fixture fails`, () => unreportedIn(gate))
  report(proof)
  verdicts.push(verdict, proof)
}
const failed = verdicts.filter(({ findings }) => findings.length > 0)
console.log(failed.length === 0 ? 'All checks passed.' : `${failed.length} of ${verdicts.length} checks failed.`)
process.exitCode = failed.length === 0 ? 0 : 1

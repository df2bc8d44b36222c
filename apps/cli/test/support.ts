import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { Terminal } from '../terminal.ts'

/** A folder of its own, removed at the end of the scope. */
export async function temporaryFolder(): Promise<AsyncDisposable & { path: string }> {
  const folder = await mkdtemp(path.join(tmpdir(), 'maru-cli-'))
  return { path: folder, [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }) }
}

export function recordingTerminal(): Terminal & { said: string[]; notes: string[] } {
  const said: string[] = []
  const notes: string[] = []
  return { said, notes, say: (line) => void said.push(line), note: (line) => void notes.push(line) }
}

/** Waits until the condition holds; fails, saying what was awaited, after a bound that only a fault reaches. */
export async function until(what: string, condition: () => boolean | Promise<boolean>, boundMs = 40_000): Promise<void> {
  for (const end = Date.now() + boundMs; !(await condition());) {
    if (Date.now() > end) throw new Error(`in vain awaited: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

import { spawn } from 'node:child_process'
import path from 'node:path'

export const projectRoot = path.resolve(import.meta.dirname, '..')

export interface ToolResult {
  readonly exitCode: number
  readonly output: string
}

const outputCharactersMax = 4_000_000

/**
 * Runs a script of an installed package with this very Node, so that neither the machine's own Node nor a shell matters.
 * `script` is within node_modules. Both output streams come back as one text. Throws when it cannot start or is killed.
 */
export async function runTool(script: string, parameters: readonly string[], folder: string): Promise<ToolResult> {
  const child = spawn(process.execPath, [path.join(projectRoot, 'node_modules', script), ...parameters], {
    cwd: folder,
    env: { ...process.env, NO_COLOR: '1', FORCE_COLOR: '0' },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  const collect = (chunk: Buffer): void => {
    if (output.length < outputCharactersMax) output += chunk.toString('utf8')
  }
  child.stdout.on('data', collect)
  child.stderr.on('data', collect)
  const exitCode = await new Promise<number>((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (code, signal) => (code === null ? reject(new Error(`${script} was ended by ${signal}`)) : resolve(code)))
  })
  return { exitCode, output }
}

/** The lines of a tool's output that say something. */
export function linesOf(output: string): string[] {
  return output
    .split('\n')
    .map((line) => line.trimEnd())
    .filter((line) => line.trim() !== '')
}

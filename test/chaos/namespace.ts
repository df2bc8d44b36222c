import { execFile, spawn } from 'node:child_process'
import { promisify } from 'node:util'

const run = promisify(execFile)
const marker = 'MARU_TEST_CHAOS_NAMESPACE'

/**
 * Runs this program again in a network and a mount namespace of its own, where the machine allows: there the network between processes can be cut and a disk can
 * be full without anyone else being touched. Gives its exit code; or, where it runs in them already or cannot, nothing.
 */
export async function inOwnNamespaces(): Promise<number | undefined> {
  if (process.env[marker] !== undefined) {
    await run('ip', ['link', 'set', 'lo', 'up'])
    return undefined
  }
  if (!(await canHaveNamespaces())) return undefined
  const child = spawn('unshare', ['--net', '--mount', process.execPath, ...process.execArgv, ...process.argv.slice(1)], {
    stdio: 'inherit',
    env: { ...process.env, [marker]: '1' },
  })
  // A Ctrl-C of the terminal reaches both; what is asked of this one alone is passed on.
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => child.kill(signal))
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('exit', (code) => resolve(code ?? 1))
  })
}

export function isInOwnNamespaces(): boolean {
  return process.env[marker] !== undefined
}

async function canHaveNamespaces(): Promise<boolean> {
  if (process.platform !== 'linux') return false
  return run('unshare', ['--net', '--mount', 'ip', 'link', 'set', 'lo', 'up']).then(
    () => true,
    () => false,
  )
}

/** Whether a program is there and runs. */
export async function works(program: string, parameters: readonly string[]): Promise<boolean> {
  return run(program, parameters).then(
    () => true,
    () => false,
  )
}

export async function runProgram(program: string, parameters: readonly string[]): Promise<string> {
  return (await run(program, parameters)).stdout
}

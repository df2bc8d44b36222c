import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'

/** Where the supervisor of a home folder takes commands, and what shows that one may give them. In a file that only its owner can read. */
export interface ControlAddress {
  /** Of a Unix socket, or of a named pipe on Windows. */
  path: string
  token: string
  /** How often it says that it is there while a command is under way, to whoever asks for that; undefined of releases that do not. */
  pulseMs?: number
}

/** The longest path of a Unix socket that every system takes, less the byte that ends it. */
const socketPathMaxBytes = 103

export function controlFile(homeFolder: string): string {
  return path.join(homeFolder, 'control.json')
}

/** In the home folder, which is its owner's alone; where that path is too long for a socket, in the folder for temporary files under a name of its own. */
export function socketPath(homeFolder: string): string {
  const name = `maru-${createHash('sha256').update(homeFolder).digest('hex').slice(0, 24)}`
  if (process.platform === 'win32') return `\\\\.\\pipe\\${name}`
  const inHome = path.join(homeFolder, 'control.sock')
  return Buffer.byteLength(inHome) <= socketPathMaxBytes ? inHome : path.join(tmpdir(), `${name}.sock`)
}

/** Undefined where no supervisor left one. Throws where this user may not read it. */
export function readControlAddress(homeFolder: string): ControlAddress | undefined {
  try {
    return JSON.parse(readFileSync(controlFile(homeFolder), 'utf8')) as ControlAddress
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'EACCES' || code === 'EPERM')
      throw new Error(`${controlFile(homeFolder)} belongs to another user, who alone may command this Maru.`, { cause: error })
    return undefined
  }
}

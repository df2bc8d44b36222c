import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import { chmodSync, rmSync } from 'node:fs'
import { createServer, type Server, type Socket } from 'node:net'
import { writePrivateFile } from '../secrets.ts'
import { controlFile, socketPath } from './control-file.ts'

/** A command as it came: its name and what it is given. */
export interface ControlRequest {
  command: string
  parameters: Readonly<Record<string, unknown>>
}

interface GivenRequest extends ControlRequest {
  isPulsed: boolean
}

export interface ControlReply {
  ok: boolean
  /** In one line, for a person. */
  summary: string
  /** For a program. */
  data?: unknown
}

/** Carries a command out. `say` sends a line about what is being done. */
export type ControlHandler = (request: ControlRequest, say: (line: string) => void) => Promise<ControlReply>

/** How often a client hears that the supervisor is there while its command is under way. */
const pulseMs = 1_000
const connectionsMax = 16
const requestMaxBytes = 16 * 1_024
const requestWithinMs = 5_000
/** Who does not read what it is told is told no more. */
const unreadMaxBytes = 256 * 1_024

/**
 * Takes commands on a socket that only the owner of the home folder can reach: one JSON object on a line in, with the token of `control.json`; lines `{"say"}` out, `{"pulse"}` where they were asked for, and last
 * `{"ok","summary","data"}`. A client that leaves changes nothing of what it has begun. What a killed supervisor left at the path is replaced: call it with the lock held.
 */
export async function serveControl(homeFolder: string, handle: ControlHandler): Promise<AsyncDisposable> {
  const path = socketPath(homeFolder)
  const token = randomBytes(32).toString('base64url')
  const sockets = new Set<Socket>()
  if (process.platform !== 'win32') rmSync(path, { force: true })
  const server = createServer((socket) => {
    if (sockets.size >= connectionsMax) {
      socket.destroy()
      return
    }
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket)).on('error', () => socket.destroy())
    serve(socket, token, handle)
  })
  await listen(server, path)
  await writePrivateFile(controlFile(homeFolder), `${JSON.stringify({ path, token, pulseMs })}\n`)
  return {
    async [Symbol.asyncDispose]() {
      rmSync(controlFile(homeFolder), { force: true })
      const closed = new Promise((resolve) => server.close(resolve))
      for (const socket of sockets) socket.end()
      setTimeout(() => sockets.forEach((socket) => socket.destroy()), 200).unref()
      await closed
    },
  }
}

function listen(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    // Made for its owner alone from the first moment: a mode set afterwards would come too late.
    const mask = process.platform === 'win32' ? undefined : process.umask(0o177)
    server.listen(path, () => {
      if (process.platform !== 'win32') chmodSync(path, 0o600)
      resolve()
    })
    if (mask !== undefined) process.umask(mask)
  })
}

function serve(socket: Socket, token: string, handle: ControlHandler): void {
  let text = ''
  let taken = false
  const answer = (reply: object): void => {
    if (socket.writableLength > unreadMaxBytes) socket.destroy()
    else if (!socket.destroyed) socket.write(`${JSON.stringify(reply)}\n`)
  }
  const finish = (reply: ControlReply): void => {
    answer(reply)
    socket.end()
  }
  const late = setTimeout(() => finish({ ok: false, summary: 'no command came' }), requestWithinMs)
  socket.on('close', () => clearTimeout(late))
  socket.setEncoding('utf8').on('data', (chunk: string) => {
    if (taken) return
    text += chunk
    const end = text.indexOf('\n')
    if (end < 0 && text.length <= requestMaxBytes) return
    taken = true
    clearTimeout(late)
    const request = end < 0 || end > requestMaxBytes ? 'a command has at most 16 KB' : parse(text.slice(0, end), token)
    if (typeof request === 'string') {
      finish({ ok: false, summary: request })
      return
    }
    if (request.isPulsed) {
      const pulse = setInterval(() => answer({ pulse: true }), pulseMs)
      socket.on('close', () => clearInterval(pulse))
    }
    handle(request, (line) => answer({ say: line })).then(finish, (error: unknown) =>
      finish({ ok: false, summary: error instanceof Error ? error.message : String(error) }),
    )
  })
}

/** The request, or why it is refused. */
function parse(line: string, token: string): GivenRequest | string {
  try {
    const given = JSON.parse(line) as { token?: unknown; command?: unknown; parameters?: unknown; pulse?: unknown }
    if (typeof given.token !== 'string' || !isSame(given.token, token)) return 'the token is not the one of this supervisor'
    const { command, parameters = {} } = given
    if (typeof command === 'string' && typeof parameters === 'object' && parameters !== null)
      return { command, parameters: parameters as Record<string, unknown>, isPulsed: given.pulse === true }
  } catch {
    // Judged below: what is no JSON and what has another shape are the same fault.
  }
  return 'this is no command'
}

/** In the same time whatever was given. */
function isSame(given: string, wanted: string): boolean {
  const digest = (text: string): Buffer => createHash('sha256').update(text).digest()
  return timingSafeEqual(digest(given), digest(wanted))
}

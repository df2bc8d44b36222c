import { createConnection } from 'node:net'
import type { ControlReply } from './supervisor/control-server.ts'
import { readControlAddress } from './supervisor/control-file.ts'
import { splitLines } from './supervisor/log-file.ts'

/** The supervisor of a home folder cannot be reached, or left in the middle of a command. */
export class ControlError extends Error {
  override name = 'ControlError'
}

const connectWithinMs = 5_000
/** A command takes as long as it takes; but a supervisor of which nothing is heard for so many of its pulses is not at work. */
const pulsesMissedMax = 15
const replyMaxBytes = 1_024 * 1_024

/** Gives the supervisor of a home folder a command; `say` gets each line it says on the way. Rejects with ControlError. */
export function command(
  homeFolder: string,
  name: string,
  parameters: Record<string, unknown> = {},
  say: (line: string) => void = () => undefined,
): Promise<ControlReply> {
  const address = readControlAddress(homeFolder)
  if (address === undefined) return Promise.reject(new ControlError(`no supervisor takes commands for ${homeFolder}`))
  const { token, pulseMs } = address
  return new Promise((resolve, reject) => {
    const socket = createConnection(address.path)
    socket.setTimeout(connectWithinMs, () => {
      if (socket.connecting) socket.destroy(new ControlError('it does not answer'))
    })
    socket.on('connect', () => {
      const silentMs = (pulseMs ?? 0) * pulsesMissedMax
      socket.setTimeout(silentMs, () => socket.destroy(new ControlError(silence(silentMs))))
      socket.write(`${JSON.stringify({ token, command: name, parameters, pulse: true })}\n`)
    })
    socket.on('error', (error) =>
      reject(new ControlError(`the supervisor of ${homeFolder} cannot be reached: ${error.message}`, { cause: error })),
    )
    socket.on('close', () =>
      reject(
        new ControlError(
          'the supervisor ended before the command did; what was not finished is not kept: the next start runs what was deployed before',
        ),
      ),
    )
    socket.setEncoding('utf8').on(
      'data',
      splitLines((line) => {
        const told = JSON.parse(line) as ControlReply & { say?: string; pulse?: boolean }
        if (told.pulse) return
        if (told.say === undefined) resolve(told)
        else say(told.say)
      }, replyMaxBytes),
    )
  })
}

function silence(ms: number): string {
  return `nothing was heard of it for ${ms / 1_000} s, as if its process were stopped. What it had begun goes on when it does; maru status tells`
}

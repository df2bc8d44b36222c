import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { expect, test } from 'vitest'
import { openRig, until } from './support/rig.ts'

/** A client's connection that keeps all it has heard. */
async function openConnection(url: string): Promise<{ socket: Socket; ask(): void; heard(): string }> {
  const socket = connect({ host: '127.0.0.1', port: Number(new URL(url).port) })
  let text = ''
  socket.setEncoding('latin1').on('data', (chunk: string) => (text += chunk))
  await once(socket, 'connect')
  return { socket, ask: () => void socket.write('GET /health/live HTTP/1.1\r\nHost: maru\r\n\r\n'), heard: () => text }
}

test.each(['plain', 'node'])(
  'a gateway that stops still answers the request that is under way on an idle connection, and says that it is the last (%s parser)',
  async (parser) => {
    await using rig = await openRig({ MARU_HTTP_PARSER: parser })
    const [asking, silent] = await Promise.all([openConnection(rig.url), openConnection(rig.url)])
    for (const { ask } of [asking, silent]) ask()
    await until(async () => [asking, silent].every(({ heard }) => heard().includes('{"status":"live"}')))
    expect(asking.heard().toLowerCase()).toContain('connection: keep-alive')

    const ended = Promise.all([once(asking.socket, 'close'), once(silent.socket, 'close')])
    const before = asking.heard().length
    const stopped = rig.gateway.stop(1_000)
    asking.ask()
    await stopped
    await ended
    const last = asking.heard().slice(before)
    expect(last).toContain('HTTP/1.1 200 OK')
    expect(last.toLowerCase()).toContain('connection: close')
    await expect(openConnection(rig.url)).rejects.toThrow('ECONNREFUSED')
  },
)

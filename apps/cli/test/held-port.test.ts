import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { get } from 'node:http'
import { expect, onTestFinished, test } from 'vitest'
import { holdPort, type HeldPort } from '../supervisor/held-port.ts'
import { claimPort, PortTakenError } from '../supervisor/port.ts'

const server = `
  const server = require('node:http').createServer((request, response) => response.end(String(process.pid)))
  server.listen({ fd: Number(process.env.MARU_LISTEN_FD) }, () => process.send('listening'))`

async function startListener(held: HeldPort): Promise<ChildProcess> {
  const child = spawn(process.execPath, ['-e', server], {
    env: { PATH: process.env['PATH'], ...held.environment },
    stdio: ['ignore', 'inherit', 'inherit', 'ipc', held.handle],
  })
  onTestFinished(() => void child.kill('SIGKILL'))
  await once(child, 'message')
  return child
}

/** The pid of who answers, on a connection of its own. */
function ask(port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    get({ port, host: '127.0.0.1', agent: false }, (answer) => answer.on('data', (chunk: Buffer) => resolve(Number(chunk)))).on(
      'error',
      reject,
    )
  })
}

async function kill(child: ChildProcess): Promise<void> {
  child.kill('SIGKILL')
  await once(child, 'exit')
}

test.skipIf(process.platform === 'win32')(
  'processes share a held port: one that is killed takes nothing with it, and while none runs a client waits instead of being refused',
  async () => {
    const port = await claimPort('127.0.0.1', 0)
    using held = (await holdPort('127.0.0.1', port)) as HeldPort
    const [first, second] = await Promise.all([startListener(held), startListener(held)])
    await kill(first)
    expect(new Set(await Promise.all([1, 2, 3, 4].map(() => ask(port))))).toEqual(new Set([second.pid]))

    await kill(second)
    const waiting = ask(port)
    const third = await startListener(held)
    expect(await waiting).toBe(third.pid)

    await expect(claimPort('127.0.0.1', port)).rejects.toThrow(PortTakenError)
    await expect(holdPort('127.0.0.1', port)).rejects.toThrow(PortTakenError)
    await kill(third)
  },
)

test('a port that is let go can be taken by others at once', async () => {
  const port = await claimPort('127.0.0.1', 0)
  const held = await holdPort('127.0.0.1', port)
  held?.[Symbol.dispose]()
  expect(await claimPort('127.0.0.1', port)).toBe(port)
})

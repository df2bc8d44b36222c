import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, stat, writeFile } from 'node:fs/promises'
import { createConnection } from 'node:net'
import path from 'node:path'
import { plainRuntime } from '@maru/service-host/runtime'
import { expect, onTestFinished, test } from 'vitest'
import { command } from '../control-client.ts'
import { readControlAddress } from '../supervisor/control-file.ts'
import { serveControl, type ControlHandler } from '../supervisor/control-server.ts'
import { parseReplicas, readDeployment, writeDeployment } from '../supervisor/deployment.ts'
import { ProcessList } from '../supervisor/leftovers.ts'
import { platformCommands } from '../supervisor/platform-control.ts'
import { Supervisor } from '../supervisor/supervisor.ts'
import { recordingTerminal, temporaryFolder, until } from './support.ts'

async function given(handler: ControlHandler) {
  const folder = await temporaryFolder()
  const served = await serveControl(folder.path, handler)
  onTestFinished(async () => {
    await served[Symbol.asyncDispose]()
    await folder[Symbol.asyncDispose]()
  })
  return folder.path
}

/** What is answered to bytes as they are. */
function send(home: string, text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = createConnection(readControlAddress(home)?.path ?? '')
    let heard = ''
    socket.on('data', (chunk) => (heard += chunk.toString())).on('close', () => resolve(heard))
    socket.on('error', reject)
    socket.write(text)
  })
}

test('only the owner can reach the socket, and only with the token; nothing else is carried out', async () => {
  const carriedOut: string[] = []
  const home = await given(async (request) => {
    carriedOut.push(request.command)
    return { ok: true, summary: 'done' }
  })
  const { path: socket, token } = readControlAddress(home) as { path: string; token: string }
  expect((await stat(socket)).mode & 0o777).toBe(0o600)
  expect((await stat(path.join(home, 'control.json'))).mode & 0o777).toBe(0o600)
  const refused: [string, RegExp][] = [
    [`${JSON.stringify({ token: `${token}x`, command: 'stop' })}\n`, /token is not the one/],
    [`${JSON.stringify({ command: 'stop' })}\n`, /token is not the one/],
    [`${JSON.stringify({ token, command: 7 })}\n`, /this is no command/],
    ['not json\n', /this is no command/],
    ['null\n', /this is no command/],
    ['x'.repeat(20_000), /at most 16 KB/],
  ]
  for (const [text, why] of refused)
    expect(JSON.parse(await send(home, text)), text.slice(0, 40)).toMatchObject({
      ok: false,
      summary: expect.stringMatching(why) as string,
    })
  expect(carriedOut).toEqual([])
  expect(await command(home, 'status')).toEqual({ ok: true, summary: 'done' })
  expect(carriedOut).toEqual(['status'])
})

test('what is said on the way arrives in order before the result, and a failure is a reply', async () => {
  const home = await given(async (request, say) => {
    say('first')
    say('second')
    if (request.command === 'fail') throw new Error('it failed')
    return { ok: true, summary: 'done', data: request.parameters }
  })
  const said: string[] = []
  expect(await command(home, 'go', { a: 1 }, (line) => said.push(line))).toEqual({ ok: true, summary: 'done', data: { a: 1 } })
  expect(said).toEqual(['first', 'second'])
  expect(await command(home, 'fail')).toEqual({ ok: false, summary: 'it failed' })
})

test('a socket that a killed supervisor left is taken over, however long its path is', async () => {
  const folder = await temporaryFolder()
  onTestFinished(() => folder[Symbol.asyncDispose]())
  const home = path.join(folder.path, 'a'.repeat(90))
  await mkdir(home)
  const program = `const { serveControl } = await import(${JSON.stringify(path.join(import.meta.dirname, '../supervisor/control-server.ts'))})
    await serveControl(${JSON.stringify(home)}, async () => ({ ok: true, summary: 'first' }))
    console.log('serving')`
  const first = spawn(process.execPath, ['--input-type=module', '-e', program], { stdio: ['ignore', 'pipe', 'inherit'] })
  await once(first.stdout, 'data')
  expect(await command(home, 'x')).toEqual({ ok: true, summary: 'first' })
  first.kill('SIGKILL')
  await once(first, 'exit')
  await expect(command(home, 'x')).rejects.toThrow(/cannot be reached/)
  {
    await using _second = await serveControl(home, async () => ({ ok: true, summary: 'second' }))
    expect(await command(home, 'x')).toEqual({ ok: true, summary: 'second' })
  }
  await expect(command(home, 'x')).rejects.toThrow(/no supervisor takes commands/)
})

test('while a command is under way whoever asks for it hears that the supervisor is there; clients of other releases do not', async () => {
  const finish = new AbortController()
  const home = await given(async () => {
    await once(finish.signal, 'abort')
    return { ok: true, summary: 'done' }
  })
  const { path: at, token } = readControlAddress(home)!
  const heard: string[] = []
  const [pulsed, plain] = [
    { token, command: 'long', pulse: true },
    { token, command: 'long' },
  ].map((request) => {
    const socket = createConnection(at)
    socket.on('data', (chunk) => heard.push(`${'pulse' in request ? 'pulsed' : 'plain'} ${chunk.toString().trim()}`))
    socket.write(`${JSON.stringify(request)}\n`)
    return socket
  })
  await until('two pulses', () => heard.length === 2)
  expect(heard).toEqual(['pulsed {"pulse":true}', 'pulsed {"pulse":true}'])
  const closed = Promise.all([pulsed, plain].map((socket) => once(socket!, 'close')))
  finish.abort()
  await closed
  expect(heard.filter((line) => line.startsWith('plain'))).toEqual(['plain {"ok":true,"summary":"done"}'])
})

test('a supervisor that is frozen does not keep who commands it for ever', { timeout: 120_000 }, async () => {
  const folder = await temporaryFolder()
  onTestFinished(() => folder[Symbol.asyncDispose]())
  const program = `const { serveControl } = await import(${JSON.stringify(path.join(import.meta.dirname, '../supervisor/control-server.ts'))})
    let finish
    const long = new Promise((resolve) => (finish = resolve))
    await serveControl(${JSON.stringify(folder.path)}, async ({ command }, say) => {
      if (command === 'finish') finish()
      else { say('begun'); await long }
      return { ok: true, summary: command }
    })
    console.log('serving')`
  const frozen = spawn(process.execPath, ['--input-type=module', '-e', program], { stdio: ['ignore', 'pipe', 'inherit'] })
  onTestFinished(() => void frozen.kill('SIGKILL'))
  await once(frozen.stdout, 'data')
  const address = readControlAddress(folder.path)!
  expect(address.pulseMs).toBeGreaterThan(0)

  let begun = false
  const long = command(folder.path, 'long', {}, () => (begun = true))
  await until('the command', () => begun)
  expect(await command(folder.path, 'finish')).toEqual({ ok: true, summary: 'finish' })
  expect(await long).toEqual({ ok: true, summary: 'long' })

  // As if it had promised faster pulses: what is waited for is as many of them.
  await writeFile(path.join(folder.path, 'control.json'), JSON.stringify({ ...address, pulseMs: 20 }))
  frozen.kill('SIGSTOP')
  await expect(command(folder.path, 'status')).rejects.toThrow(/nothing was heard of it for 0.3 s, as if its process were stopped/)
  frozen.kill('SIGCONT')
  await writeFile(path.join(folder.path, 'control.json'), JSON.stringify(address))
  expect(await command(folder.path, 'finish')).toEqual({ ok: true, summary: 'finish' })
})

test('of two commands that change the platform the second is refused, naming the first; looking is always allowed', async () => {
  const folder = await temporaryFolder()
  const entry = path.join(import.meta.dirname, 'fixtures/service.ts')
  const services = [{ name: 'user', entry, stopPhase: 0, environment: { PATH: '/usr/bin:/bin' }, runtime: plainRuntime }]
  const terminal = recordingTerminal()
  const supervisor = new Supervisor({
    services,
    logsFolder: path.join(folder.path, 'logs'),
    processes: new ProcessList(folder.path),
    terminal,
  })
  let stopAsked = 0
  const handler = platformCommands({
    supervisor,
    services,
    url: 'http://127.0.0.1:9',
    deployment: {},
    save: (deployment) => writeDeployment(folder.path, deployment),
    portIsShared: false,
    note: (line) => terminal.note(line),
    stop: () => (stopAsked += 1),
    startedAt: new Date(),
  })
  const served = await serveControl(folder.path, handler)
  onTestFinished(async () => {
    await served[Symbol.asyncDispose]()
    await supervisor.stop(2_000)
    await folder[Symbol.asyncDispose]()
  })
  supervisor.start()
  await supervisor.untilReady(async () => true, new AbortController().signal)

  let begun = false
  const scaling = command(folder.path, 'scale', { replicas: 'user=2' }, () => (begun = true))
  await until('the first command', () => begun)
  expect(await command(folder.path, 'restart', { services: ['user'] })).toMatchObject({
    ok: false,
    summary: expect.stringMatching(/^refused: "scale user=2" runs since/) as string,
  })
  expect((await command(folder.path, 'status')).data).toMatchObject({ running: { what: 'scale user=2' } })
  expect(await scaling).toMatchObject({ ok: true })
  expect(readDeployment(folder.path)).toEqual({ user: { replicas: 2 } })
  const { instances } = (await command(folder.path, 'status')).data as { instances: { state: string; restarts: number }[] }
  expect(instances).toMatchObject([{ state: 'ready', restarts: 0 }, { state: 'ready' }])

  for (const [name, parameters, why] of [
    ['scale', { replicas: 'user=0' }, /a number from 1 to 8/],
    ['scale', { replicas: 'users=2' }, /there is no service "users"/],
    ['deploy', { services: ['user'], from: folder.path }, /holds no services\/user\/main\.ts/],
    ['deploy', { services: [] }, /name a service/],
    ['deploy', { services: ['user'], bake: -1 }, /bake must be a number of seconds/],
    ['explode', {}, /knows no command "explode"/],
  ] as const)
    expect(await command(folder.path, name, parameters)).toMatchObject({ ok: false, summary: expect.stringMatching(why) as string })
  expect(await command(folder.path, 'stop')).toMatchObject({ ok: true })
  expect(stopAsked).toBe(1)
})

test('numbers of instances are read strictly', () => {
  expect([...parseReplicas('trading=2, gateway=8')]).toEqual([
    ['trading', 2],
    ['gateway', 8],
  ])
  for (const text of ['', 'trading', 'trading=', 'trading=1.5', 'trading=9', 'trading=-1', 'trading=1=1', 'trading=1,trading=2', 'other=1'])
    expect(() => parseReplicas(text), text).toThrow(/service|must be like|twice/)
})

test('a damaged record of what is deployed is named, and not guessed at', async () => {
  const folder = await temporaryFolder()
  onTestFinished(() => folder[Symbol.asyncDispose]())
  expect(readDeployment(folder.path)).toEqual({})
  for (const text of ['{', '{"trading":{"replicas":0}}', '{"other":{}}', '{"trading":{"release":"not/absolute"}}', '{"trading":null}']) {
    await writeFile(path.join(folder.path, 'deployment.json'), text)
    expect(() => readDeployment(folder.path), text).toThrow(/deployment\.json is damaged/)
  }
})

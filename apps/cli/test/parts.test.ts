import { spawn } from 'node:child_process'
import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import path from 'node:path'
import { describe, expect, test } from 'vitest'
import { readCliSettings, SettingsError } from '../config.ts'
import { ensureHome, ensureSecrets } from '../secrets.ts'
import { restartDelayMs } from '../supervisor/backoff.ts'
import { LogFile, splitLines } from '../supervisor/log-file.ts'
import { noteOfLine, readableLine } from '../supervisor/log-line.ts'
import { HomeLockedError, liveHolder, takeLock } from '../supervisor/lock.ts'
import { claimPort, PortTakenError } from '../supervisor/port.ts'
import { processIdentity } from '../supervisor/process-identity.ts'
import { limitNotes } from '../terminal.ts'
import { temporaryFolder } from './support.ts'

test('restarts come at once, then after 100 ms, doubling up to 5 s', () => {
  expect([1, 2, 3, 4, 5, 6, 7, 8, 9, 1_000].map(restartDelayMs)).toEqual([0, 100, 200, 400, 800, 1_600, 3_200, 5_000, 5_000, 5_000])
})

describe('settings', () => {
  test('all faults are reported together, without a secret', () => {
    const faulty = { MARU_PORT: '99999', MARU_LOG: 'kafka://x:1', MARU_MARKET_DATA: 'dreams', DATABASE_URL: 'mysql://admin:hidden@db' }
    expect(() => readCliSettings(faulty)).toThrow(SettingsError)
    try {
      readCliSettings(faulty)
    } catch (error) {
      const { message } = error as Error
      for (const name of Object.keys(faulty)) expect(message).toContain(`- ${name} `)
      expect(message).not.toContain('hidden')
    }
  })

  test('defaults', () => {
    expect(readCliSettings({})).toEqual({
      homeFolder: path.resolve('.maru'),
      port: 8_080,
      gatewayHost: '127.0.0.1',
      databaseUrl: undefined,
      standby: true,
    })
  })
})

test('a data folder that cannot be one is named, with its setting', async () => {
  await using temporary = await temporaryFolder()
  const file = path.join(temporary.path, 'file')
  await writeFile(file, '')
  await expect(ensureHome(file)).rejects.toThrow(`the data folder ${file} (MARU_HOME) cannot be used: `)
})

describe('secrets', () => {
  test('are made once, random, for their owner alone', async () => {
    await using temporary = await temporaryFolder()
    const home = path.join(temporary.path, 'home')
    await ensureHome(home)
    const first = await ensureSecrets(home, ['maru_a', 'maru_b'])
    const operator = await readFile(first.operatorFile, 'utf8')
    const key = await readFile(first.tokenKeyFile, 'utf8')
    expect(Object.keys(JSON.parse(operator) as object)).toEqual(['email', 'password'])
    expect(key).toMatch(/^-----BEGIN PRIVATE KEY-----/)
    for (const folder of [home, path.join(home, 'logs')]) expect((await stat(folder)).mode & 0o777).toBe(0o700)
    for (const file of (await readdir(home)).filter((name) => name !== 'logs'))
      expect((await stat(path.join(home, file))).mode & 0o777, file).toBe(0o600)

    const second = await ensureSecrets(home, ['maru_a', 'maru_b', 'maru_c'])
    expect(second.rolePasswords).toMatchObject(first.rolePasswords)
    expect(new Set(Object.values(second.rolePasswords)).size).toBe(3)
    expect(await readFile(second.operatorFile, 'utf8')).toBe(operator)
    expect(await readFile(second.tokenKeyFile, 'utf8')).toBe(key)
  })

  test('a damaged file is named, not replaced', async () => {
    await using folder = await temporaryFolder()
    const file = path.join(folder.path, 'secrets.json')
    await writeFile(file, '{"role_passwords":')
    await expect(ensureSecrets(folder.path, ['maru_a'])).rejects.toThrow(`${file} is damaged`)
    expect(await readFile(file, 'utf8')).toBe('{"role_passwords":')
  })
})

describe('the lock of a home', () => {
  test('is held against a second taker, and free again after release', async () => {
    await using folder = await temporaryFolder()
    const lock = takeLock(folder.path, 'http://localhost:1')
    expect(() => takeLock(folder.path, 'http://localhost:2')).toThrow(HomeLockedError)
    expect(() => takeLock(folder.path, 'http://localhost:2')).toThrow(new RegExp(`pid ${process.pid}, http://localhost:1`))
    lock.setUrl('http://localhost:3')
    expect(liveHolder(folder.path)?.url).toBe('http://localhost:3')
    lock[Symbol.dispose]()
    expect(liveHolder(folder.path)).toBeUndefined()
    expect(await readdir(folder.path)).toEqual([])
    takeLock(folder.path, 'http://localhost:2')[Symbol.dispose]()
  })

  test.each([
    ['a dead process', JSON.stringify({ pid: 2 ** 22 - 1, identity: 'gone', url: '', startedAt: '' })],
    [
      'a process that was given the pid of a dead holder',
      JSON.stringify({ pid: process.pid, identity: 'an earlier one', url: '', startedAt: '' }),
    ],
    ['half a file', '{"pid":'],
    ['an empty file', ''],
  ])('of %s is taken over', async (_, content) => {
    await using folder = await temporaryFolder()
    await writeFile(path.join(folder.path, 'supervisor.lock'), content)
    using _lock = takeLock(folder.path, 'http://localhost:1')
    expect(liveHolder(folder.path)?.pid).toBe(process.pid)
    expect(await readdir(folder.path)).toEqual(['supervisor.lock'])
  })

  test('of many takers of a stale lock exactly one wins', async () => {
    await using folder = await temporaryFolder()
    await writeFile(path.join(folder.path, 'supervisor.lock'), JSON.stringify({ pid: 1, identity: 'gone', url: '', startedAt: '' }))
    const program = `import { takeLock } from ${JSON.stringify(path.resolve(import.meta.dirname, '../supervisor/lock.ts'))}
      process.stdin.once('data', () => { try { takeLock(${JSON.stringify(folder.path)}, 'x'); console.log('won') } catch (error) { console.log(error.name) } })
      process.stdin.on('end', () => process.exit()); console.log('there')`
    const takers = Array.from({ length: 4 }, () => {
      const child = spawn(process.execPath, ['--input-type=module-typescript', '-e', program], { stdio: ['pipe', 'pipe', 'inherit'] })
      const lines: string[] = []
      let heard: (() => void) | undefined
      child.stdout.setEncoding('utf8').on(
        'data',
        splitLines((line) => (lines.push(line), heard?.())),
      )
      const next = async (count: number): Promise<void> => {
        while (lines.length < count) await new Promise<void>((resolve) => (heard = resolve))
      }
      return { child, lines, next }
    })
    await Promise.all(takers.map((taker) => taker.next(1)))
    for (const { child } of takers) child.stdin.write('go\n')
    await Promise.all(takers.map((taker) => taker.next(2)))
    const outcomes = takers.map(({ lines }) => lines[1])
    expect(outcomes.filter((outcome) => outcome === 'won')).toHaveLength(1)
    expect(outcomes.filter((outcome) => outcome === 'HomeLockedError')).toHaveLength(3)
    await Promise.all(takers.map(({ child }) => new Promise((resolve) => (child.on('exit', resolve), child.stdin.end()))))
  })
})

test('a process is told from a later one with its pid, and a dead one from both', async () => {
  expect(processIdentity(process.pid)).toBe(processIdentity(process.pid))
  const child = spawn(process.execPath, ['-e', 'process.stdin.resume()'], { stdio: 'pipe' })
  const pid = child.pid as number
  expect(processIdentity(pid)).not.toBe(processIdentity(process.pid))
  child.kill('SIGKILL')
  await new Promise((resolve) => child.on('exit', resolve))
  expect(processIdentity(pid)).toBeUndefined()
  for (const nonsense of [0, -1, Number.NaN, 1.5]) expect(processIdentity(nonsense)).toBeUndefined()
})

describe('the port', () => {
  test('a taken one is named, with the way out', async () => {
    const server = createServer().listen(0, '127.0.0.1')
    await new Promise((resolve) => server.on('listening', resolve))
    const { port } = server.address() as { port: number }
    const failure = claimPort('127.0.0.1', port)
    await expect(failure).rejects.toThrow(PortTakenError)
    await expect(failure).rejects.toThrow(new RegExp(`Port ${port} is taken .* MARU_PORT=${port + 1} npm start`))
    server.close()
  })

  test('0 gives a free one, which can then be listened on', async () => {
    const port = await claimPort('127.0.0.1', 0)
    expect(port).toBeGreaterThan(0)
    expect(await claimPort('127.0.0.1', port)).toBe(port)
  })
})

describe('log files', () => {
  test('never grow past their bound, and keep the newest lines', async () => {
    await using folder = await temporaryFolder()
    const file = path.join(folder.path, 'a.log')
    {
      using log = new LogFile(file, { bytesMax: 100, onFault: (error) => expect.unreachable(error.message) })
      for (let line = 0; line < 100; line += 1) log.write(`line ${line}`)
    }
    const names = await readdir(folder.path)
    expect(names.sort()).toEqual(['a.log', 'a.log.1', 'a.log.2'])
    for (const name of names) expect((await stat(path.join(folder.path, name))).size).toBeLessThanOrEqual(100)
    const kept = (await Promise.all(['a.log.2', 'a.log.1', 'a.log'].map((name) => readFile(path.join(folder.path, name), 'utf8'))))
      .join('')
      .trimEnd()
      .split('\n')
    expect(kept.at(-1)).toBe('line 99')
    expect(kept).toEqual(Array.from({ length: kept.length }, (_, index) => `line ${100 - kept.length + index}`))
  })

  test('a place that cannot be written is reported once and loses lines, not the program', async () => {
    await using folder = await temporaryFolder()
    const faults: string[] = []
    await mkdir(path.join(folder.path, 'a.log'))
    using log = new LogFile(path.join(folder.path, 'a.log'), { onFault: (error) => faults.push(error.message) })
    for (let line = 0; line < 5; line += 1) log.write('x')
    expect(faults).toHaveLength(1)
  })

  test('lines are cut at their bound and joined over chunks', () => {
    const lines: string[] = []
    const feed = splitLines((line) => lines.push(line), 4)
    for (const chunk of ['a', 'b\nc', '\n\n', '123456789', '\n']) feed(chunk)
    expect(lines).toEqual(['ab', 'c', '1234', '5678', '9'])
  })
})

test('only errors reach the terminal, without stack traces', () => {
  const entry = (level: number) => JSON.stringify({ level, time: 'T', msg: 'it broke', err: { message: 'why', stack: 'long' } })
  expect(noteOfLine(entry(30), 'stdout')).toBeUndefined()
  expect(noteOfLine(entry(40), 'stdout')).toBeUndefined()
  expect(noteOfLine(entry(50), 'stdout')).toBe('it broke: why')
  expect(noteOfLine('plain', 'stdout')).toBeUndefined()
  expect(noteOfLine('plain', 'stderr')).toBe('plain')
  expect(noteOfLine('    at somewhere (file:1:2)', 'stderr')).toBeUndefined()
  // What a service says of its settings is gathered and said once.
  for (const line of new SettingsError(['A is wrong']).message.split('\n')) expect(noteOfLine(line, 'stderr')).toBeUndefined()
  expect(readableLine(entry(40))).toBe('T warn  it broke: why')
  const about = JSON.stringify({ level: 40, time: 'T', service: 's', instance: 'i', kind: 7, code: 'market_halted', msg: 'refused' })
  expect(readableLine(about)).toBe('T warn  refused kind=7 code=market_halted')
})

test('a flood of notes is cut, and said to be', () => {
  let nowMs = 0
  const notes: string[] = []
  const note = limitNotes(
    (line) => notes.push(line),
    { max: 2, windowMs: 1_000 },
    () => nowMs,
  )
  for (let index = 0; index < 5; index += 1) note(`n${index}`)
  nowMs = 1_000
  note('later')
  expect(notes).toEqual(['n0', 'n1', '… and 3 more like it; see the log files', 'later'])
})

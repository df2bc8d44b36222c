import { appendFile, rename, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { followFile } from '../follow-file.ts'
import { formatStatus, joinInstances } from '../status-table.ts'
import { temporaryFolder, until } from './support.ts'

const now = Date.parse('2026-01-05T00:01:00.000Z')
const own = {
  service: 'trading',
  id: 'trading-1',
  pid: 7,
  url: 'http://127.0.0.1:1',
  release: null,
  started_at: '2026-01-05T00:00:00.000Z',
  restarts: 0,
  failures: 0,
  next_start_at: null,
  last_end: null,
}

test('an instance is told of once, with what the supervisor and what the gateway know of it; neither hides what the other does not know', () => {
  const joined = joinInstances(
    [
      { ...own, state: 'ready' },
      { ...own, id: 'trading-2', state: 'stopping' },
    ],
    [
      { service: 'trading', id: 'trading-1', state: 'starting', circuit: 'open', version: '1.0.0', pid: 7, url: 'http://127.0.0.1:1' },
      { service: 'trading', id: 'trading-2', state: 'ready', circuit: 'closed', version: '1.0.0' },
      { service: 'user', id: 'user-9', state: 'ready', circuit: 'closed', version: '1.0.0' },
    ],
  )
  expect(joined.map(({ id, state, circuit, restarts }) => [id, state, circuit, restarts])).toEqual([
    ['trading-1', 'starting', 'open', 0],
    ['trading-2', 'stopping', 'closed', 0],
    ['user-9', 'ready', 'closed', null],
  ])
})

test('a service that keeps ending is shown as a crash loop, with the reason and the next try', () => {
  const ended = { reason: 'exit code 3', at: '2026-01-05T00:00:58.000Z' }
  const instances = joinInstances(
    [
      {
        ...own,
        state: 'waiting',
        pid: null,
        url: null,
        restarts: 4,
        failures: 5,
        next_start_at: '2026-01-05T00:01:01.500Z',
        last_end: ended,
      },
    ],
    [],
  )
  const table = formatStatus(
    {
      url: 'http://localhost:1',
      supervisor_pid: 1,
      started_at: own.started_at,
      ready: false,
      running: null,
      instances,
      lacks: ['the gateway does not answer'],
    },
    now,
  )
  expect(table).toContain('is not ready (supervisor pid 1, up 1 min)')
  expect(table).toContain('the gateway does not answer')
  expect(table.split('\n').at(-1)).toBe(
    'trading  trading-1  crash-loop  -        -    -    -        -       4         ended 5 times in a row, next start in 1.5 s; last end 2 s ago: exit code 3',
  )
})

test('a log is followed from its end, through its renaming when it is full', async () => {
  const folder = await temporaryFolder()
  const over = new AbortController()
  onTestFinished(() => folder[Symbol.asyncDispose]())
  const file = path.join(folder.path, 'a.log')
  await writeFile(file, 'before\n')
  const lines: string[] = []
  const following = followFile(file, over.signal, (line) => lines.push(line))
  // The first line may come before the file is open: it is written again until one is seen.
  await until('the first line', async () => {
    if (lines.length === 0) await appendFile(file, 'first\n')
    return lines.length > 0
  })
  await appendFile(file, 'last of the old\n')
  await rename(file, `${file}.1`)
  await writeFile(file, 'new one\n')
  await until('the new file', () => lines.includes('new one'))
  over.abort()
  await following
  expect([...new Set(lines)]).toEqual(['first', 'last of the old', 'new one'])
})

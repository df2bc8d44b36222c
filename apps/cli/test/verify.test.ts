import { execFile } from 'node:child_process'
import { hash } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import path from 'node:path'
import { promisify } from 'node:util'
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { chainText } from '@maru/contracts/account-chain'
import { Client, eventually } from '../../../test/support/client.ts'
import { createTestDatabase } from '../../../test/support/postgres.ts'
import { logInAt, startServiceProcess, startUserService } from '../../../test/support/services.ts'
import { verifyAccountStream } from '../verify/account-stream.ts'
import { temporaryFolder } from './support.ts'

interface Event {
  sequence: number
  type: string
  timestamp: string
  data: Record<string, unknown>
  hash: string
  previous_hash: string
}
interface Page {
  items: Event[]
  next_cursor: string | null
}

/** Pages as two users got them from a running service. */
let alice: Page[]
let bob: Page[]

beforeAll(async () => {
  await using database = await createTestDatabase()
  await using user = await startUserService(database)
  await using trading = await startServiceProcess('trading', database.urls.trading, { MARU_HOUSE_LIQUIDITY: 'off' })
  const pagesOf = async (name: string): Promise<Page[]> => {
    const client = new Client(user.service.url)
    await client.post('/register', { email: `${name}@example.com`, username: name, password: client.password })
    await logInAt(user.service, client, name, client.password)
    const own = new Client(trading.url)
    own.token = client.token
    for (let number = 1; number <= 12; number++) {
      const order = { symbol: 'BTC/USDT', side: 'BUY', order_type: 'LIMIT', quantity: '0.01', price: String(20_000 + number) }
      await own.post('/orders', order)
    }
    const events = `/accounts/${client.userId}/events?limit=5`
    await eventually(
      () => own.get<Page>(`${events}&after=12`),
      ({ body }) => body.items.length > 0,
    )
    const pages: Page[] = []
    for (let cursor: string | null = '0'; cursor !== null; cursor = pages.at(-1)!.next_cursor)
      pages.push((await own.get<Page>(`${events}&cursor=${cursor}`)).body)
    return pages
  }
  ;[alice, bob] = [await pagesOf('alice'), await pagesOf('bobby')]
}, 60_000)

const eventsOf = (pages: readonly Page[]): Event[] => structuredClone(pages.flatMap(({ items }) => items))
const lines = (values: readonly unknown[]): string => values.map((value) => `${JSON.stringify(value)}\n`).join('')

describe('a stream of a running service', () => {
  test.each<[string, () => string]>([
    ['pages put together', () => alice.map((page) => JSON.stringify(page)).join('')],
    ['pages, one a line', () => lines(alice)],
    ['pages with an indent', () => alice.map((page) => JSON.stringify(page, null, 2)).join('\n')],
    ['a list of pages', () => JSON.stringify(alice)],
    ['a list of events', () => JSON.stringify(eventsOf(alice))],
    ['events, one a line', () => lines(eventsOf(alice))],
  ])('is good as %s', (_, text) => {
    const events = eventsOf(alice)
    expect(events.length).toBeGreaterThan(12)
    expect(verifyAccountStream(text())).toEqual({
      isGood: true,
      events: events.length,
      first: 1,
      last: events.length,
      lastHash: events.at(-1)!.hash,
      previousHash: '0'.repeat(64),
    })
  })

  test('is good from any event on', () => {
    const events = eventsOf(alice).slice(5)
    expect(verifyAccountStream(lines(events))).toMatchObject({ isGood: true, first: 6, previousHash: eventsOf(alice)[4]!.hash })
  })
})

describe('damage is found', () => {
  const change =
    (at: number, edit: (event: Event) => void) =>
    (events: Event[]): Event[] => {
      edit(events[at]!)
      return events
    }
  const rehash = (event: Event): void => void (event.hash = hash('sha256', chainText(event.previous_hash, event)))

  test.each<[string, (events: Event[]) => Event[], number, RegExp]>([
    ['an amount', change(4, ({ data }) => (data['quantity'] = '0.02')), 5, /hash is not that of what it says/],
    ['a type', change(4, (event) => (event.type = 'order.rejected')), 5, /hash is not that/],
    ['a time', change(4, (event) => (event.timestamp = '2020-01-01T00:00:00.000Z')), 5, /hash is not that/],
    ['a member too many', change(4, ({ data }) => (data['note'] = null)), 5, /hash is not that/],
    ['an event changed with its hash', change(4, (event) => ((event.data['quantity'] = '9'), rehash(event))), 6, /not the hash of event 5/],
    ['a first event that is another', change(0, (event) => ((event.previous_hash = 'f'.repeat(64)), rehash(event))), 1, /it is the first/],
    ['an event that is missing', (events) => events.toSpliced(6, 1), 8, /event 7 before it is missing/],
    ['three that are missing', (events) => events.toSpliced(6, 3), 10, /3 events before it are missing/],
    ['two in the wrong order', (events) => [...events.slice(0, 3), events[4]!, events[3]!, ...events.slice(5)], 5, /event 4 .* missing/],
    ['one that comes twice', (events) => events.toSpliced(3, 0, events[2]!), 3, /comes after event 3/],
    ['a page of another account', (events) => [...events.slice(0, 5), ...eventsOf(bob).slice(5)], 6, /not the hash of event 5/],
    ['something else', (events) => [...events.slice(0, 5), { ...events[5]!, hash: 7 } as unknown as Event], 6, /is no event/],
  ])('%s', (_, damage, sequence, fault) => {
    const verdict = verifyAccountStream(lines(damage(eventsOf(alice))))
    expect(verdict).toMatchObject({ isGood: false, sequence })
    expect((verdict as { fault: string }).fault).toMatch(fault)
  })

  test('any byte flipped', () => {
    const text = lines(eventsOf(alice).slice(0, 3))
    for (let at = 0; at < text.length; at++) {
      if (/[\s,:]/.test(text[at]!)) continue
      const flipped = text.slice(0, at) + String.fromCharCode(text.charCodeAt(at) ^ 1) + text.slice(at + 1)
      expect([at, verifyAccountStream(flipped).isGood]).toEqual([at, false])
    }
  })

  test.each([
    ['nothing', '', /no event/],
    ['an empty page', '{"items":[],"next_cursor":null}', /no event/],
    ['no JSON', 'good: 12 events', /character 1/],
    ['half a page', '{"items":[', /middle of a value/],
    ['too much of it', '[]]', /closes nothing/],
    ['a pit of lists', '['.repeat(100_000), /deep/],
  ])('%s', (_, text, fault) => {
    const verdict = verifyAccountStream(text)
    expect(verdict.isGood).toBe(false)
    expect((verdict as { fault: string }).fault).toMatch(fault)
  })
})

test('maru verify says it in one line, and by its exit code', async () => {
  const folder = await temporaryFolder()
  onTestFinished(() => folder[Symbol.asyncDispose]())
  const file = path.join(folder.path, 'events.json')
  const maru = path.join(import.meta.dirname, '../main.ts')
  const run = (...parameters: string[]) =>
    promisify(execFile)(process.execPath, [maru, 'verify', ...parameters], { cwd: folder.path, env: {} }).then(
      ({ stdout }) => ({ code: 0, stdout, stderr: '' }),
      (error: { code: number; stdout: string; stderr: string }) => error,
    )
  const events = eventsOf(alice)
  await writeFile(file, lines(alice))
  expect(await run('events.json')).toMatchObject({
    code: 0,
    stdout: `good: ${events.length} events, 1 to ${events.length}; last hash ${events.at(-1)!.hash}\n`,
  })
  await writeFile(file, lines(events.toSpliced(6, 1)))
  expect(await run(file)).toMatchObject({ code: 1, stdout: 'damaged at event 8: event 7 before it is missing\n' })
  expect(await run('none.json')).toMatchObject({ code: 66, stderr: expect.stringMatching(/none.json cannot be read/) as string })
  expect(await run()).toMatchObject({ code: 64 })
  expect((await run('--help')).stdout).toMatch(/SHA-256\(previous_hash \\n sequence/)
})

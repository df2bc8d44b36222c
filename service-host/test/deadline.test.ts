import Type from 'typebox'
import { pino } from 'pino'
import { expect, test } from 'vitest'
import { endpoint } from '@maru/contracts'
import { deadlineHeader } from '../deadline.ts'
import { createHttpService } from '../http.ts'
import { spreadOver } from '../spread.ts'
import { createIssuer } from './support/tokens.ts'

const place = endpoint({
  service: 'trading',
  method: 'POST',
  path: '/orders',
  access: 'public',
  summary: '',
  status: 201,
  reply: Type.Object({ done: Type.Integer() }),
})

test.each(['plain', 'node'] as const)('read by the parser %s, what nobody waits for any more is refused, and not begun', async (parser) => {
  let done = 0
  const http = createHttpService({ logger: pino({ level: 'silent' }), verifier: createIssuer().verifier, parser })
  http.serve(place, () => ({ done: ++done }))
  const url = await http.app.listen({ host: '127.0.0.1', port: 0 })
  const ask = async (deadlineMs: number) => {
    const answer = await fetch(`${url}/orders`, { method: 'POST', headers: { [deadlineHeader]: String(deadlineMs) } })
    return [answer.status, ((await answer.json()) as { code?: string }).code]
  }
  expect(await ask(Date.now() - 1)).toEqual([504, 'deadline_exceeded'])
  expect(done).toBe(0)
  expect(await ask(Date.now() + 60_000)).toEqual([201, undefined])
  expect(done).toBe(1)
  await http.stop(1_000)
})

test('what is spread is done once to each, and not to all at once', async () => {
  const items = Array.from({ length: 300 }, (_, at) => at)
  const done: number[] = []
  let turns = 0
  const spreading = spreadOver(items, 300, (item) => {
    done.push(item)
  })
  expect(done.length).toBeLessThan(300)
  const counting = setInterval(() => (turns += 1), 1)
  await spreading
  clearInterval(counting)
  expect(turns).toBeGreaterThan(0)
  expect(done).not.toEqual(items)
  expect(done.toSorted((a, b) => a - b)).toEqual(items)
})

import { expect, test } from 'vitest'
import { startUserService } from './start.ts'

test('given more logins at once than the line holds, then some are turned away at once with 503, none hangs, and it recovers', async () => {
  await using service = await startUserService({
    MARU_PASSWORD_HASHES_AT_ONCE: '1',
    MARU_PASSWORD_QUEUE_MAX: '2',
    MARU_LOGIN_ATTEMPTS_MAX: '1000',
  })
  const user = await service.register('busy')
  const answers = await Promise.all(
    Array.from({ length: 30 }, () => service.call('POST', '/token', { form: { username: user.username, password: user.password } })),
  )
  const statuses = answers.map((answer) => answer.status)
  expect(statuses.filter((status) => status === 200).length).toBeGreaterThanOrEqual(3)
  const refused = answers.filter((answer) => answer.status === 503)
  expect(refused.length).toBeGreaterThan(0)
  expect(statuses.filter((status) => status !== 200 && status !== 503)).toEqual([])
  expect(refused[0]?.body['code']).toBe('overloaded')
  expect(Number(refused[0]?.headers.get('retry-after'))).toBeGreaterThan(0)
  await service.login(user.username, user.password)
})

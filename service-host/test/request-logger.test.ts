import { pino } from 'pino'
import { expect, test } from 'vitest'
import { RequestLogger } from '../request-logger.ts'

test('each line has the id of its request, as has what a child writes', () => {
  const lines: Record<string, unknown>[] = []
  const parent = pino({ level: 'info' }, { write: (line: string) => lines.push(JSON.parse(line) as Record<string, unknown>) })
  const logger = new RequestLogger(parent, { reqId: 'r1' }, {})
  expect(logger.level).toBe('info')
  logger.error({ err: new Error('broken') }, 'failed')
  logger.debug('not at this level')
  logger.warn('late')
  logger.child({ part: 'x' }).info('from a child')
  parent.info('from the service')
  expect(lines.map(({ level, reqId, part, msg }) => [level, reqId, part, msg])).toEqual([
    [50, 'r1', undefined, 'failed'],
    [40, 'r1', undefined, 'late'],
    [30, 'r1', 'x', 'from a child'],
    [30, undefined, undefined, 'from the service'],
  ])
})

import { createMemoryEventLog } from '../index.ts'
import { describeEventLog } from '../testing.ts'

describeEventLog('in memory', async () => {
  const log = createMemoryEventLog()
  return { open: async () => log, topics: ['one', 'two'], [Symbol.asyncDispose]: () => log[Symbol.asyncDispose]() }
})

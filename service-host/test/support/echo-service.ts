import Type from 'typebox'
import { endpoint } from '@maru/contracts'
import { runService } from '../../host.ts'

/** A service for tests of the lifecycle, run as a process: it can answer late, stall, and become ready on demand. */
const slow = endpoint({
  service: 'notification',
  method: 'GET',
  path: '/slow',
  access: 'public',
  summary: '',
  query: Type.Object({ ms: Type.Integer({ minimum: 0, maximum: 60_000 }) }),
  status: 200,
  reply: Type.Object({ pid: Type.Integer() }),
})

let ready = process.env['ECHO_READY'] !== 'no'

await runService({
  service: 'notification',
  start: ({ http }) => {
    http.serve(slow, async ({ query }) => {
      await new Promise((resolve) => setTimeout(resolve, query.ms))
      return { pid: process.pid }
    })
    http.app.post('/toggle', () => ({ ready: (ready = !ready) }))
    return Promise.resolve({
      notReady: () => (ready ? undefined : 'told not to be'),
      [Symbol.asyncDispose]: () => Promise.resolve(),
    })
  },
})

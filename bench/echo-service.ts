import Type from 'typebox'
import { endpoint } from '@maru/contracts'
import { runService } from '@maru/service-host'

/** The JSON echo again, as a service of the platform: a contract behind the HTTP and the trunks that every service has. Run with the role of analytics. */
const text = Type.String({ maxLength: 64 })
const order = Type.Object({
  symbol: text,
  side: text,
  order_type: text,
  quantity: text,
  price: text,
  client_order_id: text,
})
const echo = endpoint({
  service: 'analytics',
  method: 'POST',
  path: '/echo',
  access: 'public',
  summary: 'What was sent',
  body: order,
  status: 200,
  reply: order,
})

await runService({
  service: 'analytics',
  start: ({ http }) => {
    http.serve(echo, ({ body }) => body)
    return Promise.resolve({ [Symbol.asyncDispose]: () => Promise.resolve() })
  },
})

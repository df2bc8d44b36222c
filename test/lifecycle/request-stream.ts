import { Agent, request } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'

const streams = 3
/** Between two requests of a stream: one is always under way or a moment off, and the machine is left to what it starts. */
const breathMs = 5

/** Requests to every service through the gateway one after the other, on connections that are kept, orders among them. None is ever repeated: each must succeed. */
export class RequestStream {
  count = 0
  /** What went wrong, the first of each kind. */
  readonly failures: string[] = []
  readonly #agent = new Agent({ keepAlive: true })
  readonly #running: Promise<unknown>
  #isOver = false

  constructor(port: number, token: string, userId: string) {
    const paths = [
      '/api/user/me',
      '/api/market-data/prices/BTC-USDT',
      '/api/notification/notifications',
      `/api/analytics/equity/${userId}`,
      `/api/trading/positions/${userId}`,
      '/api/trading/orders',
    ]
    this.#running = Promise.all(
      Array.from({ length: streams }, async () => {
        while (!this.#isOver) {
          const number = (this.count += 1)
          const path = paths[number % paths.length] as string
          const fault = await this.#ask(port, token, path, path.endsWith('/orders') ? orderOf(number) : undefined)
          if (fault !== undefined && this.failures.length < 20) this.failures.push(`${path}: ${fault}`)
          await sleep(breathMs)
        }
      }),
    )
  }

  async stop(): Promise<void> {
    this.#isOver = true
    await this.#running
    this.#agent.destroy()
  }

  /** Undefined where it succeeded. */
  #ask(port: number, token: string, path: string, body: string | undefined): Promise<string | undefined> {
    return new Promise((resolve) => {
      const call = request(
        {
          port,
          path,
          agent: this.#agent,
          method: body === undefined ? 'GET' : 'POST',
          headers: { authorization: `Bearer ${token}`, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
        },
        (answer) => {
          let text = ''
          answer.setEncoding('utf8').on('data', (chunk: string) => (text += chunk))
          answer.on('error', (error) => resolve(`the answer broke off: ${error.message}`))
          answer.on('end', () =>
            resolve(answer.statusCode === 200 || answer.statusCode === 201 ? undefined : `${answer.statusCode} ${text}`),
          )
        },
      )
      call.on('error', (error) => resolve(error.message))
      call.end(body)
    })
  }
}

/** Never filled, as nothing is offered so low. */
function orderOf(number: number): string {
  return JSON.stringify({
    symbol: 'BTC/USDT',
    side: 'BUY',
    order_type: 'LIMIT',
    quantity: '0.05',
    price: '1000',
    time_in_force: 'IOC',
    client_order_id: `stream-${number}`,
  })
}

import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { bareEnvironment } from '../../../test/support/bare-environment.ts'
import type { Client } from '../../../test/support/client.ts'
import { Bot } from '../../../test/support/order-bot.ts'
import { freePort } from '../../../test/support/platform.ts'
import { startServiceProcess } from '../../../test/support/services.ts'
import { startTradingSide } from '../../../test/support/trading.ts'

const main = fileURLToPath(new URL('../main.ts', import.meta.url))

/** Orders under way on a socket. */
const windowSize = 20

/** A trader who goes on placing orders by socket until it is closed. */
class Trader {
  readonly bot: Bot
  readonly closed: Promise<number>
  readonly #name: string
  #sent = 0

  private constructor(bot: Bot, name: string) {
    this.bot = bot
    this.#name = name
    this.closed = once(bot.socket, 'close').then(([code]) => code as number)
    void this.#trade()
  }

  static async at(url: string, client: Client, name: string): Promise<Trader> {
    const bot = new Bot(url, client.token!)
    await once(bot.socket, 'open')
    return new Trader(bot, name)
  }

  async #trade(): Promise<void> {
    const order = { symbol: 'BTC/USDT', side: 'BUY', order_type: 'LIMIT', time_in_force: 'IOC', quantity: '0.001', price: '10000' }
    while (this.bot.socket.readyState === this.bot.socket.OPEN) {
      if (this.#sent - this.bot.answers.length < windowSize) {
        const id = `${this.#name}-${this.#sent++}`
        this.bot.send({ id, op: 'place', order: { ...order, client_order_id: id } })
      }
      await new Promise((resolve) => setTimeout(resolve, 1))
    }
  }

  /** What became of the last orders, which are those in doubt: ids of those that were done, and of those that were answered. */
  async fate(client: Client): Promise<{ done: string[]; answered: string[] }> {
    const last = Array.from({ length: Math.min(this.#sent, windowSize + 10) }, (_, index) => `${this.#name}-${this.#sent - 1 - index}`)
    const done: string[] = []
    for (const id of last) {
      const { status, body } = await client.get<{ items?: unknown[] }>(`/orders?client_order_id=${id}`)
      if (status === 200 && (body.items === undefined || body.items.length > 0)) done.push(id)
    }
    const answers = new Map(this.bot.answers.map(({ id, status }) => [String(id), status]))
    return { done, answered: last.filter((id) => answers.get(id) === 201) }
  }
}

test('orders by socket while the gateway and then the service restart: closed with 1012, and what has no answer was not done; a killed one is 1013', async () => {
  await using side = await startTradingSide()
  const alice = await side.user('alice')
  const port = await freePort()
  const url = `http://127.0.0.1:${port}`
  const startGateway = async (): Promise<ChildProcess> => {
    const gateway = fork(main, [], {
      env: { ...bareEnvironment, MARU_LOG_LEVEL: 'fatal', DATABASE_URL: side.database.urls.gateway, MARU_PORT: String(port) },
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    })
    await expect
      .poll(() =>
        fetch(`${url}/api/trading/markets`)
          .then(({ status }) => status)
          .catch(() => 0),
      )
      .toBe(200)
    return gateway
  }
  const traders = (name: string): Promise<Trader[]> =>
    Promise.all(['a', 'b', 'c'].map((each) => Trader.at(`${url}/api/trading`, alice, `${name}-${each}`)))
  const busy = (all: Trader[]) => Promise.all(all.map(({ bot }) => bot.until(({ answers }) => answers.length > 40)))
  const expectNoneInDoubt = async (all: Trader[], client: Client): Promise<void> => {
    for (const trader of all) {
      const { done, answered } = await trader.fate(client)
      expect(done).toEqual(answered)
      expect(done.length).toBeGreaterThan(0)
    }
  }

  let gateway = await startGateway()
  try {
    const first = await traders('first')
    await busy(first)
    const exited = once(gateway, 'exit')
    gateway.kill('SIGTERM')
    expect(await Promise.all(first.map(({ closed }) => closed))).toEqual([1012, 1012, 1012])
    expect(await exited).toEqual([0, null])
    await expectNoneInDoubt(first, alice)

    gateway = await startGateway()
    const second = await traders('second')
    await busy(second)
    const careful = new Bot(`${url}/api/trading`, alice.token!)
    await once(careful.socket, 'open')
    await careful.ask({ id: 'set', op: 'set', cancel_on_disconnect: true })
    const order = { symbol: 'BTC/USDT', side: 'BUY', order_type: 'LIMIT', quantity: '0.002', price: '9000' }
    const resting = await careful.ask({ id: 'rest', op: 'place', order })
    expect(resting).toMatchObject({ status: 201, result: { status: 'PENDING' } })
    await using next = await startServiceProcess('trading', side.database.urls.trading, { MARU_HOUSE_LIQUIDITY: 'off' })
    side.service.child.kill('SIGTERM')
    expect(await Promise.all(second.map(({ closed }) => closed))).toEqual([1012, 1012, 1012])
    await side.service.exited
    const there = Object.assign(Object.create(Object.getPrototypeOf(alice) as object) as Client, alice, { url: next.url })
    await expectNoneInDoubt(second, there)
    // The end of a connection is one whoever ended it.
    expect((await there.get(`/orders/${resting.result!.id}`)).body).toMatchObject({ status: 'CANCELLED' })

    await expect.poll(() => fetch(`${url}/api/trading/markets`).then(({ status }) => status)).toBe(200)
    const third = await traders('third')
    await busy(third)
    await next.kill()
    expect(await Promise.all(third.map(({ closed }) => closed))).toEqual([1013, 1013, 1013])
  } finally {
    gateway.kill('SIGKILL')
  }
})

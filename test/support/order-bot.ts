import { once } from 'node:events'
import { WebSocket } from 'ws'
import type { Client } from './client.ts'
import type { ServiceProcess } from './services.ts'

/** An answer on the trading socket. */
export interface SocketAnswer {
  id: string | number | null
  status: number
  result?: Record<string, unknown> & { id: string; status: string; items?: { id: string }[] }
  error?: { code: string; detail: string; errors?: { path: string }[] }
}

export interface SocketEvent {
  sequence: number
  type: string
  timestamp: string
  data: { id?: string; status?: string }
  hash: string
  previous_hash: string
}

/** A client of the trading socket, with the `ws` package. */
export class Bot {
  readonly socket: WebSocket
  readonly answers: SocketAnswer[] = []
  readonly events: SocketEvent[] = []
  #news: (() => void)[] = []

  constructor(url: string, token: string) {
    this.socket = new WebSocket(`${url.replace('http', 'ws')}/ws`, { headers: { authorization: `Bearer ${token}` } })
    this.socket.on('message', (data: Buffer) => {
      const message = JSON.parse(data.toString('utf8')) as SocketAnswer & { event?: SocketEvent }
      if (message.event) this.events.push(message.event)
      else this.answers.push(message)
      this.#wake()
    })
    this.socket.on('close', () => this.#wake())
  }

  static async at(service: ServiceProcess, client: Client): Promise<Bot> {
    const bot = new Bot(service.url, client.token!)
    await once(bot.socket, 'open')
    return bot
  }

  #wake(): void {
    for (const wake of this.#news.splice(0)) wake()
  }

  send(message: unknown): void {
    this.socket.send(typeof message === 'string' ? message : JSON.stringify(message))
  }

  async until(check: (bot: Bot) => boolean): Promise<void> {
    const timer = setTimeout(() => this.socket.terminate(), 15_000)
    while (!check(this)) {
      if (this.socket.readyState === WebSocket.CLOSED) throw new Error(`closed; answers so far: ${JSON.stringify(this.answers)}`)
      await new Promise<void>((resolve) => this.#news.push(resolve))
    }
    clearTimeout(timer)
  }

  async ask(request: Record<string, unknown>): Promise<SocketAnswer> {
    this.send(request)
    const mine = (): SocketAnswer | undefined => this.answers.find(({ id }) => id === request['id'])
    await this.until(() => mine() !== undefined)
    return mine()!
  }
}

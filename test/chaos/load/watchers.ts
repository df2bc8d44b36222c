import { setTimeout as sleep } from 'node:timers/promises'
import { WebSocket } from 'ws'
import type { Client } from '../../support/client.ts'

const reconnectMs = 100
/** A socket that says nothing for so long is taken for dead, as prices come several times a second and streams have heartbeats. */
const silenceMaxMs = 5_000

/** A client of prices by socket, which connects again whenever it is cut off. */
export class PriceWatcher {
  readonly #url: string
  #lastMs = performance.now()
  messages = 0
  /** Every pause between two prices that was longer than a second: when it began, how long it was. */
  readonly pauses: { atMs: number; durationMs: number }[] = []

  constructor(gatewayUrl: string) {
    this.#url = `${gatewayUrl.replace('http', 'ws')}/api/market-data/ws/prices/BTC-USDT`
  }

  async run(signal: AbortSignal): Promise<void> {
    this.#lastMs = performance.now()
    while (!signal.aborted) {
      await listen(new WebSocket(this.#url), signal, () => this.#heard())
      if (!signal.aborted) await sleep(reconnectMs)
    }
  }

  #heard(): void {
    const nowMs = performance.now()
    const durationMs = nowMs - this.#lastMs
    if (durationMs > 1_000) this.pauses.push({ atMs: this.#lastMs, durationMs })
    this.#lastMs = nowMs
    this.messages += 1
  }
}

/** A client of an account's numbered stream, which goes on after the last number it saw, whenever it is cut off. */
export class StreamWatcher {
  readonly #url: string
  readonly #client: Client
  /** Number of the last event, in a row from 1. */
  sequence = 0
  readonly faults: string[] = []

  constructor(gatewayUrl: string, client: Client) {
    this.#url = gatewayUrl
    this.#client = client
  }

  /** Reads until the signal aborts. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#read(signal).catch(() => undefined)
      if (!signal.aborted) await sleep(reconnectMs)
    }
  }

  async #read(signal: AbortSignal): Promise<void> {
    const answer = await fetch(`${this.#url}/api/trading/accounts/${this.#client.userId}/events?after=${this.sequence}`, {
      headers: { accept: 'text/event-stream', authorization: `Bearer ${this.#client.token}` },
      signal,
    })
    if (answer.status !== 200 || !answer.body) throw new Error(`the stream answered ${answer.status}`)
    const decoder = new TextDecoder()
    let text = ''
    for await (const chunk of answer.body) {
      text += decoder.decode(chunk as Uint8Array, { stream: true })
      const blocks = text.split('\n\n')
      text = blocks.pop()!
      for (const block of blocks) this.#take(block)
    }
  }

  #take(block: string): void {
    const data = block.split('\n').find((line) => line.startsWith('data:'))
    if (data === undefined) return
    const { sequence } = JSON.parse(data.slice('data:'.length)) as { sequence?: number }
    if (sequence === undefined) return
    if (sequence !== this.sequence + 1) this.faults.push(`${this.#client.userId}: event ${sequence} came after ${this.sequence}`)
    this.sequence = sequence
  }
}

/** Resolves when the socket has ended, or nothing came for too long. */
async function listen(socket: WebSocket, signal: AbortSignal, heard: () => void): Promise<void> {
  const end = () => socket.terminate()
  signal.addEventListener('abort', end)
  let timer = setTimeout(end, silenceMaxMs)
  socket.on('message', () => {
    clearTimeout(timer)
    timer = setTimeout(end, silenceMaxMs)
    heard()
  })
  socket.on('error', () => undefined)
  await new Promise((resolve) => socket.once('close', resolve))
  clearTimeout(timer)
  signal.removeEventListener('abort', end)
}

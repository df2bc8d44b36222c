import { once } from 'node:events'
import type { Socket } from 'node:net'
import { WebSocket } from 'ws'
import type { Trader } from './traders.ts'

/** Each so many-th request cancels what is open: an odd number, so that it takes the place of buys and of sells alike. */
const cancelEvery = 65

interface Load {
  /** Which of the connections it is: neighbours take opposite sides. */
  index: number
  /** Requests under way. */
  window: number
  /** Told of each answer; whether another request is to be sent. */
  onAnswer: (sentMs: number, nowMs: number) => boolean
}

/** Orders by one trading socket, every other of which trades, with so many under way, until `onAnswer` says that it is enough and all are answered. */
export async function loadConnection(url: string, { token }: Trader, { index, window, onAnswer }: Load): Promise<void> {
  const socket = new WebSocket(`${url.replace('http', 'ws')}/ws`, {
    headers: { authorization: `Bearer ${token}` },
    perMessageDeflate: false,
  })
  await once(socket, 'open')
  const joinWrites = writesJoiner((socket as unknown as { _socket: Socket })._socket)
  // Answers of one connection come in the order of its requests: they went into the log so. The times of those under way, by their number.
  const sentMs = new Float64Array(window)
  let sent = 0
  let answered = 0
  const send = (): void => {
    const id = sent
    const side = (id + index) % 2 === 0 ? 'BUY' : 'SELL'
    // What meets an order of its own account expires and leaves that one open: now and then the account clears up.
    const request =
      id % cancelEvery === cancelEvery - 1
        ? `{"id":${id},"op":"cancel_all"}`
        : `{"id":${id},"op":"place","order":{"symbol":"BTC/USDT","side":"${side}","order_type":"LIMIT","quantity":"0.001","price":"10000"}}`
    joinWrites()
    socket.send(request)
    sentMs[id % window] = performance.now()
    sent += 1
  }
  await new Promise<void>((resolve, reject) => {
    socket.on('error', reject)
    socket.on('close', () => reject(new Error('the socket was closed')))
    socket.on('message', (data: Buffer) => {
      const text = data.toString('latin1', 0, 40)
      if (!text.startsWith(`{"id":${answered},"status":20`)) {
        reject(new Error(`answer ${answered} was ${data.toString('utf8').slice(0, 300)}`))
        return
      }
      const goesOn = onAnswer(sentMs[answered % window]!, performance.now())
      answered += 1
      if (goesOn) send()
      else if (answered === sent) resolve()
    })
    for (let count = 0; count < window; count += 1) send()
  })
  socket.removeAllListeners('close')
  socket.close()
}

/** Lets what is sent in answer to one read leave in one write, so that the server is what is measured: a write for each request cost as much as half its order. */
function writesJoiner(socket: Socket): () => void {
  let isJoining = false
  const leave = (): void => {
    isJoining = false
    socket.uncork()
  }
  return () => {
    if (isJoining) return
    isJoining = true
    socket.cork()
    setImmediate(leave)
  }
}

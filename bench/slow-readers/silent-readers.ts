import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'

/**
 * Opens as many sockets to the market-data stream as asked, and never reads from them again, while each goes on asking: it leaves the trades of all
 * markets and subscribes to them anew, so that a snapshot of each is owed to it every time; quickly at first, until all buffers on the way are full, then
 * now and then. One that is cut off comes back at once: as many are there at all times.
 */
const [url = '', count = '', fillMs = ''] = process.argv.slice(2)
const trades = ['BTC/USDT', 'ETH/USDT', 'ADA/USDT', 'DOT/USDT'].map((symbol) => `trades:${symbol}`)
const [quicklyMs, thenMs] = [60, 1_000]
const fillsUntilMs = performance.now() + Number(fillMs)

let cutOff = 0

async function open(): Promise<void> {
  const { hostname, port, host } = new URL(url)
  const socket = connect({ host: hostname, port: Number(port) })
  socket.on('error', () => undefined)
  await once(socket, 'connect')
  socket.write(
    `GET /api/market-data/ws HTTP/1.1\r\nHost: ${host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${randomBytes(16).toString('base64')}\r\n\r\n`,
  )
  const [head] = (await once(socket, 'data')) as [Buffer]
  if (!head.toString('latin1').startsWith('HTTP/1.1 101')) {
    // On a machine that is too busy an instance may seem to be gone for a moment.
    socket.destroy()
    await sleep(100)
    return open()
  }
  socket.pause()
  socket.write(frame({ op: 'subscribe', channels: ['prices:BTC/USDT', ...trades] }))
  // A socket that does not read learns of its end by writing alone.
  let asking: NodeJS.Timeout | undefined
  const ask = (): void => {
    socket.write(frame({ op: 'unsubscribe', channels: trades }))
    socket.write(frame({ op: 'subscribe', channels: trades }))
    asking = setTimeout(ask, performance.now() < fillsUntilMs ? quicklyMs : thenMs)
  }
  ask()
  socket.once('close', () => {
    clearTimeout(asking)
    cutOff += 1
    again()
  })
}

function again(): void {
  open().catch((error: unknown) => process.send?.({ failed: String(error) }))
}

/** A whole text frame of a client, masked with zeros (RFC 6455, 5.2). */
function frame(message: object): Buffer {
  const payload = Buffer.from(JSON.stringify(message))
  const length = payload.length < 126 ? [payload.length] : [126, payload.length >> 8, payload.length & 0xff]
  return Buffer.concat([Buffer.from([0x81, 0x80 | length[0]!, ...length.slice(1), 0, 0, 0, 0]), payload])
}

await Promise.all(Array.from({ length: Number(count) }, open))
process.on('message', () => process.send?.({ cutOff }))
process.on('disconnect', () => process.exit())
process.send?.('open')

import { once } from 'node:events'
import { WebSocket } from 'ws'

/**
 * Opens as many sockets to the price stream as asked, reads all that comes, and says how long updates were under way whenever it is asked:
 * from when the service made the message (time of the price and its age then) until it was read here.
 */
const [url = '', count = ''] = process.argv.slice(2)
const atOnce = 50
const channel = 'prices:BTC/USDT'

export interface Delivery {
  p50Ms: number
  p99Ms: number
  updates: number
  /** Updates that were missing between two that one socket got: none may be. */
  missed: number
}

let delaysMs: number[] = []
let missed = 0

interface Update {
  type?: string
  sequence: number
  data: { timestamp: string; age_ms: number } | null
}

async function open(): Promise<void> {
  const socket = new WebSocket(`${url.replace('http', 'ws')}/api/market-data/ws`, { perMessageDeflate: false })
  let last: number | undefined
  socket.on('message', (message: Buffer) => {
    const { type, sequence, data } = JSON.parse(message.toString('utf8')) as Update
    if (type === undefined) return
    if (last !== undefined && sequence !== last + 1) missed += 1
    last = sequence
    if (type === 'delta' && data !== null) delaysMs.push(Date.now() - Date.parse(data.timestamp) - data.age_ms)
  })
  socket.on('close', (code) => {
    process.send?.({ failed: `a normal reader was closed with ${code}` })
  })
  await once(socket, 'open')
  socket.send(JSON.stringify({ op: 'subscribe', channels: [channel] }))
}

for (let opened = 0; opened < Number(count); opened += atOnce)
  await Promise.all(Array.from({ length: Math.min(atOnce, Number(count) - opened) }, open))
process.on('message', (message) => {
  if (message === 'begin') {
    delaysMs = []
    missed = 0
    return
  }
  const sorted = Float64Array.from(delaysMs).sort()
  const at = (share: number): number => sorted[Math.floor(sorted.length * share)] ?? Number.NaN
  process.send?.({ p50Ms: at(0.5), p99Ms: at(0.99), updates: sorted.length, missed } satisfies Delivery)
})
process.on('disconnect', () => process.exit())
process.send?.('open')

import { once } from 'node:events'
import { WebSocket } from 'ws'
import { freePort, startBenchDatabase, startBenchProcess } from './bench-processes.ts'
import { orderText, startBenchGateway, untilRouted } from './gateway.ts'
import { cpuMicroseconds } from './process-cpu.ts'
import { processTree } from './process-memory.ts'
import { startNginx } from './proxies/nginx.ts'
import { benchRow, median, type BenchRow } from './report.ts'

const connections = 64
const rounds = 7
const warmupMs = 500
const durationMs = 1_500

/**
 * CPU a message in the gateway's process where a WebSocket passes through it, in turns with nginx: each of 64 sockets has one message under way, which an echo
 * sends back, so every message is a read and a write of its own. Both ways are counted.
 */
export async function run(): Promise<BenchRow[]> {
  await using database = await startBenchDatabase()
  await using echo = await startBenchProcess('bench/echo-server.ts', { DATABASE_URL: database.urls.trading })
  await using gateway = await startBenchGateway(database)
  await untilRouted(gateway.url, '/api/trading/echo')
  await using nginx = await startNginx(echo.url, await freePort())
  const sides = [
    { url: `${gateway.url}/api/trading/ws`, pid: gateway.pid, costs: [] as number[] },
    ...(nginx ? [{ url: `${nginx.url}/ws`, pid: nginx.pid, costs: [] as number[] }] : []),
  ]
  for (let round = 0; round < rounds; round += 1) for (const side of sides) side.costs.push(await costOf(side))
  const [own, other] = sides.map(({ costs }) => median(costs))
  return [
    benchRow({
      name: 'relay: a message of a socket through the gateway',
      unit: 'µs of CPU a message',
      value: own!,
      ...(other !== undefined && { baseline: { name: 'nginx', value: other } }),
      target: { of: 'value', is: 'at most', bound: 20 },
    }),
  ]
}

async function costOf({ url, pid }: { url: string; pid: number }): Promise<number> {
  const sockets = await Promise.all(Array.from({ length: connections }, () => connect(url)))
  await passing(sockets, warmupMs)
  // The workers of nginx are there from its start on, and those of the gateway by now.
  const pids = processTree(pid)
  const before = cpuMicroseconds(pids)
  const messages = await passing(sockets, durationMs)
  const used = cpuMicroseconds(pids) - before
  for (const socket of sockets) socket.terminate()
  return used / messages
}

async function connect(url: string): Promise<WebSocket> {
  const socket = new WebSocket(url.replace('http', 'ws'), { perMessageDeflate: false })
  await once(socket, 'open')
  return socket
}

/** Sends messages to and fro for so long; how many passed, both ways together. */
async function passing(sockets: readonly WebSocket[], forMs: number): Promise<number> {
  const endMs = performance.now() + forMs
  let messages = 0
  await Promise.all(
    sockets.map(
      (socket) =>
        new Promise<void>((resolve, reject) => {
          const onClose = (): void => reject(new Error(`the socket to ${socket.url} was closed`))
          const onMessage = (): void => {
            messages += 2
            if (performance.now() < endMs) {
              socket.send(orderText)
              return
            }
            socket.off('message', onMessage).off('close', onClose)
            resolve()
          }
          socket.on('message', onMessage).on('close', onClose)
          socket.send(orderText)
        }),
    ),
  )
  return messages
}

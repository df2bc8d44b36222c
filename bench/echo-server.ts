import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { WebSocketServer } from 'ws'
import { createLogger, openPostgresDiscovery } from '@maru/service-host'

/**
 * The baseline, as a process: a bare `node:http` server that parses a JSON body and sends it back. With DATABASE_URL (the role of the
 * service named by MARU_ECHO_AS, trading by default) it is announced as that service, so that a gateway routes to it.
 */
const server = createServer({ keepAliveTimeout: 65_000 }, (request, response) => {
  const chunks: Buffer[] = []
  request.on('data', (chunk: Buffer) => chunks.push(chunk))
  request.on('end', () => {
    const body = JSON.stringify(JSON.parse(Buffer.concat(chunks).toString('utf8')))
    response.writeHead(200, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }).end(body)
  })
})

/** The same for sockets: what comes goes back. */
new WebSocketServer({ server }).on('connection', (socket) =>
  socket.on('error', () => undefined).on('message', (data, isBinary) => socket.send(data, { binary: isBinary })),
)

server.listen(0, '127.0.0.1', () => void announce())
process.on('disconnect', () => process.exit(0))

async function announce(): Promise<void> {
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const connectionString = process.env['DATABASE_URL']
  if (connectionString !== undefined) {
    const discovery = await openPostgresDiscovery({
      connectionString,
      logger: createLogger({ service: 'echo', instanceId: 'echo', level: 'warn' }),
    })
    await discovery.announce({
      id: `echo-${process.pid}`,
      service: process.env['MARU_ECHO_AS'] ?? 'trading',
      url,
      pid: process.pid,
      version: '0',
      state: 'ready',
      startedAt: new Date().toISOString(),
    })
  }
  process.send?.({ type: 'ready', url })
}

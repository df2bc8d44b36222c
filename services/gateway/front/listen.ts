import { once } from 'node:events'
import { createServer, Server as NetServer, type AddressInfo } from 'node:net'
import type { Server } from 'node:http'

export interface ListenOptions {
  host: string
  port: number
  /** A socket that was handed over, shared with other gateways; 0 for none. */
  descriptor: number
}

/** Where a gateway takes connections. */
export interface Listening {
  /** Of this gateway alone, whoever else takes connections at the port that clients know. */
  readonly url: string
  /** Takes no more connections; those that are open stay. */
  stopAccepting(): Promise<void>
}

/**
 * Lets a server take connections: at `host:port` of its own, or from a socket that it shares with other gateways, where each connection goes to one of them. Then it
 * listens on a loopback port of its own as well, so that each can be asked how it is.
 */
export async function listen(server: Server, options: ListenOptions): Promise<Listening> {
  // Not the `close` of the HTTP server, which also cuts off connections between two requests: a client may just be asking.
  const closeOf = (listening: NetServer): Promise<void> =>
    new Promise((resolve) => {
      NetServer.prototype.close.call(listening, () => resolve())
    })
  if (options.descriptor === 0) {
    server.listen({ host: options.host, port: options.port })
    await once(server, 'listening')
    return { url: urlOf(server), stopAccepting: () => closeOf(server) }
  }
  const own = createServer((socket) => server.emit('connection', socket))
  own.listen({ host: '127.0.0.1', port: 0 })
  server.listen({ fd: options.descriptor })
  await Promise.all([once(own, 'listening'), once(server, 'listening')])
  return {
    url: urlOf(own),
    async stopAccepting() {
      await Promise.all([closeOf(server), closeOf(own)])
    },
  }
}

function urlOf(server: NetServer): string {
  const { address, family, port } = server.address() as AddressInfo
  return `http://${family === 'IPv6' ? `[${address}]` : address}:${port}`
}

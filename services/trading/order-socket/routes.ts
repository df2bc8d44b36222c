import { keepAlive, type HttpService } from '@maru/service-host'
import type { Accounts } from '../accounts.ts'
import { Connection, type ConnectionParts } from './connection.ts'

const pingMs = 15_000

/** Serves `/ws`: order entry and the account's stream on one connection (contracts/order-socket.ts). */
export function serveOrderSocket({
  http,
  accounts,
  ...others
}: Omit<ConnectionParts, 'onDropped'> & { http: HttpService; accounts: Accounts }): void {
  const parts: ConnectionParts = { ...others, onDropped: (reason) => http.socketDropped(reason) }
  http.socket('/ws', { access: 'user', keyScope: 'read' }, (socket, { identity, transport, requestId, traceparent, onLeaving }) => {
    if (!identity) throw new Error('a socket that asks for a user was opened without one')
    keepAlive(socket, pingMs, () => http.socketDropped('silent'))
    // What comes before the account is open waits in the connection.
    socket.pause()
    Promise.resolve(accounts.own(identity)).then(
      (account) => {
        const connection = new Connection(parts, { socket, transport, identity, account, requestId, traceparent })
        onLeaving((withinMs) => connection.finish(withinMs))
        socket.resume()
      },
      (error: unknown) => {
        parts.logger.warn({ err: error, request_id: requestId }, 'the account of a socket could not be opened')
        socket.close(1013, 'try again')
      },
    )
  })
}

import type { BlockList, Server, Socket } from 'node:net'
import { addressGroup, isTrusted, plainAddress } from '../edge/client-address.ts'

export interface ConnectionBounds {
  /** Of one address (IPv6: of 64 bits) at once. */
  perAddressMax: number
  /** Addresses that may have as many as there is room for. */
  unlimited: readonly (BlockList | undefined)[]
}

/** Why a connection was not taken: its address has as many as it may, or there are as many in all. */
export type RefusedConnection = 'address' | 'all'

/**
 * Bounds the connections that one address may have open, so that nobody alone takes all the gateway has. One beyond the bound is reset at once, before a byte of it is read.
 * To be called when all that take connections of the server listen already.
 */
export function boundConnections(server: Server, bounds: ConnectionBounds, onRefused: (why: RefusedConnection) => void): void {
  const { perAddressMax, unlimited } = bounds
  const open = new Map<string, number>()
  const takers = server.listeners('connection') as ((socket: Socket) => void)[]
  server.removeAllListeners('connection')
  server.on('connection', (socket: Socket) => {
    const address = plainAddress(socket.remoteAddress ?? '')
    if (!unlimited.some((list) => list !== undefined && isTrusted(address, list))) {
      const group = addressGroup(address)
      const count = open.get(group) ?? 0
      if (count >= perAddressMax) {
        onRefused('address')
        // No more is said: an answer would take what the bound is there to save.
        socket.on('error', () => undefined).resetAndDestroy()
        return
      }
      open.set(group, count + 1)
      socket.once('close', () => {
        const left = (open.get(group) ?? 1) - 1
        if (left > 0) open.set(group, left)
        else open.delete(group)
      })
    }
    for (const take of takers) take.call(server, socket)
  })
  server.on('drop', () => onRefused('all'))
}

import type { Stream } from 'node:stream'
import { lookup } from 'node:dns/promises'
import * as net from 'node:net'
import { PortTakenError } from './port.ts'

/** Where a spawned process finds what is handed to it beyond its three streams and its channel. */
const childDescriptor = 4

/**
 * A port that the supervisor holds and its children listen on together. The queue of new connections belongs to the socket, not to a process: one that ends or
 * is killed leaves its part to the others, one that hangs takes none, and while none runs new connections wait instead of being refused.
 *
 * (SO_REUSEPORT, where each process has a queue of its own, was tried first: of 4,800 connections in twenty rolling restarts nine were reset, against none here,
 * and twice as many when processes are killed.)
 */
export interface HeldPort extends Disposable {
  readonly port: number
  /** For the list `stdio` of a child, as its fifth entry. */
  readonly handle: Stream
  readonly environment: Readonly<Record<string, string>>
}

/** A bound socket as Node has it inside. The supervisor never listens on it itself, as it would take connections that it cannot serve. */
interface Handle {
  getsockname(address: { port?: number }): number
  close(): void
}

type CreateHandle = (address: string, port: number, addressType: 4 | 6) => Handle | number

/**
 * Binds a port that `claimPort` has found free, for children to listen on. Undefined where this system or this Node cannot hand on such a socket (Windows): then one process has
 * the port to itself. Throws PortTakenError.
 */
export async function holdPort(host: string, wanted: number): Promise<HeldPort | undefined> {
  // No public call of Node binds without listening. Absent, all works with one process on the port.
  const create = (net as unknown as { _createServerHandle?: CreateHandle })._createServerHandle
  if (process.platform === 'win32' || create === undefined) return undefined
  const { address, family } = await lookup(host)
  const handle = create(address, wanted, family === 6 ? 6 : 4)
  if (typeof handle === 'number') throw new PortTakenError(wanted)
  const bound: { port?: number } = {}
  if (handle.getsockname(bound) !== 0 || bound.port !== wanted) {
    handle.close()
    throw new PortTakenError(wanted)
  }
  return {
    port: wanted,
    handle: handle as unknown as Stream,
    environment: { MARU_LISTEN_FD: String(childDescriptor) },
    [Symbol.dispose]: () => handle.close(),
  }
}

import type { Duplex } from 'node:stream'
import { leavePing } from '@maru/service-host'
import { clientPing, closeFrame, FrameBoundaries } from './websocket-frames.ts'

/** Close codes that a gateway says itself, in place of a service that cannot: of what was asked and has no answer nothing is known. */
const goingAway = 1001
const tryAgain = 1013
/** For the service to answer what it took and to close the socket, when the gateway goes away. */
const leavingMaxMs = 1_250
/** For a client to take what is said last, and to close its side. */
const partingMs = 500

/**
 * A client's socket and the service behind it: bytes pass both ways as they come. Where frames end is known all the same, so that the gateway can say a word of its own between two of them, of which there
 * are three: it asks the service to close when it goes away itself, and it closes in place of a service that did not, or that has died.
 *
 * Bounded by the high-water marks of both streams: a slow reader holds up its own sender and no one else, and not for ever (`SlowReaders`).
 */
export class SocketLink {
  readonly #client: Duplex
  readonly #service: Duplex
  readonly #toClient = new FrameBoundaries()
  readonly #toService = new FrameBoundaries()
  readonly #onEnd: () => void
  #isLeaving = false
  /** Whether the service is to be asked as soon as a frame ends. */
  #isAskDue = false
  /** Whether the client has been told all that it will be. */
  #isParting = false
  #timer: NodeJS.Timeout | undefined

  /** `heads`: what either side sent with the handshake. `onEnd` is called once, when the client's side is closed. */
  constructor(client: Duplex, service: Duplex, heads: { client: Buffer; service: Buffer }, onEnd: () => void) {
    this.#client = client
    this.#service = service
    this.#onEnd = onEnd
    for (const side of [client, service]) {
      if ('setTimeout' in side && typeof side.setTimeout === 'function') side.setTimeout(0)
      if ('setNoDelay' in side && typeof side.setNoDelay === 'function') side.setNoDelay(true)
      // `close` follows.
      side.on('error', () => undefined)
    }
    client.once('close', () => this.#over())
    client.on('end', () => service.end())
    const serviceEnded = () => this.end(tryAgain, 'the service ended: connect again')
    service.once('end', serviceEnded).once('close', serviceEnded)
    service.on('data', (chunk: Buffer) => this.#passToClient(chunk)).on('drain', () => client.resume())
    client.on('data', (chunk: Buffer) => this.#passToService(chunk)).on('drain', () => service.resume())
    if (heads.service.length > 0) this.#passToClient(heads.service)
    if (heads.client.length > 0) this.#passToService(heads.client)
  }

  #passToClient(chunk: Buffer): void {
    if (this.#isParting) return
    this.#toClient.pass(chunk)
    if (!this.#client.write(chunk)) this.#service.pause()
  }

  #passToService(chunk: Buffer): void {
    if (!this.#service.writable) return
    this.#toService.pass(chunk)
    if (!this.#service.write(chunk)) this.#client.pause()
    if (this.#isAskDue) this.#ask()
  }

  /**
   * For a gateway that goes away: asks the service to answer what it took and to close the socket, which is then what the client hears. Where it does not in time the gateway says 1001 (going
   * away) itself.
   */
  leave(): void {
    if (this.#isLeaving || this.#isParting) return
    this.#isLeaving = true
    this.#timer = setTimeout(() => this.end(goingAway, 'the gateway is going away'), leavingMaxMs)
    this.#ask()
  }

  #ask(): void {
    this.#isAskDue = !this.#toService.isBetween
    if (!this.#isAskDue && this.#service.writable) this.#service.write(clientPing(leavePing))
  }

  /** For a service that will not say so any more: closes the socket with a code, where the service has not and a frame can begin, and ends both sides. */
  end(code = tryAgain, reason = 'the service does not answer: connect again'): void {
    if (this.#isParting) return
    this.#isParting = true
    clearTimeout(this.#timer)
    if (this.#toClient.isBetween && !this.#toClient.hasClosed) this.#client.end(closeFrame(code, reason))
    else this.#client.end()
    this.#service.end()
    // What either still says is let go, but their ends are to be heard.
    this.#client.resume()
    this.#service.resume()
    this.#timer = setTimeout(() => this.cut(), partingMs)
  }

  /** Ends both sides at once. */
  cut(): void {
    this.#client.destroy()
    this.#service.destroy()
  }

  #over(): void {
    clearTimeout(this.#timer)
    this.#isParting = true
    this.#service.destroy()
    this.#onEnd()
  }
}

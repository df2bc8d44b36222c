import type { WebSocket } from 'ws'

const silentPingsMax = 2

/** Pings a peer every `pingMs`; one that shows no life between three pings is cut off. Ends with the socket. */
export function keepAlive(socket: WebSocket, pingMs: number, onCutOff: () => void = () => undefined): void {
  let silentPings = 0
  const alive = (): void => {
    silentPings = 0
  }
  socket.on('pong', alive)
  socket.on('message', alive)
  const pinging = setInterval(() => {
    if (silentPings >= silentPingsMax) {
      onCutOff()
      return socket.terminate()
    }
    silentPings += 1
    socket.ping()
  }, pingMs)
  socket.once('close', () => clearInterval(pinging))
}

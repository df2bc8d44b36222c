import { connect } from 'node:net'

export interface RawAnswer {
  status: number
  head: string
  body: string
}

/** Sends bytes as they are and reads until the peer closes, or until `until` is in what came. Never rejects: a reset leaves what came before. */
export function sendRaw(url: string, bytes: string | Buffer, until?: string): Promise<RawAnswer> {
  const { hostname, port } = new URL(url)
  return new Promise((resolve) => {
    const socket = connect(Number(port), hostname)
    let text = ''
    const finish = () => {
      socket.destroy()
      const end = text.indexOf('\r\n\r\n')
      resolve({
        status: Number(/^HTTP\/1\.1 (\d{3})/.exec(text)?.[1] ?? 0),
        head: end === -1 ? text : text.slice(0, end),
        body: end === -1 ? '' : text.slice(end + 4),
      })
    }
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1')
      if (until !== undefined && text.includes(until)) finish()
    })
    socket.on('error', finish).on('close', finish)
    socket.write(bytes)
  })
}

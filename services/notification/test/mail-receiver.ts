import type { AddressInfo } from 'node:net'
import { SMTPServer } from 'smtp-server'

export interface ReceivedMail {
  to: string[]
  /** The whole message as it came. */
  raw: string
  /** Header by name in lower case, unfolded, as it stands on the wire. */
  headers: Map<string, string>
}

export interface MailReceiver extends AsyncDisposable {
  readonly url: string
  readonly received: ReceivedMail[]
  /** Code and text to refuse with at DATA; undefined accepts. */
  refuseWith: { code: number; text: string } | undefined
}

/** A real SMTP server on a port of loopback. */
export async function startMailReceiver(port = 0): Promise<MailReceiver> {
  const received: ReceivedMail[] = []
  const server = new SMTPServer({
    authOptional: true,
    disabledCommands: ['STARTTLS', 'AUTH'],
    closeTimeout: 500,
    onData(stream, session, callback) {
      const chunks: Buffer[] = []
      stream.on('data', (chunk: Buffer) => chunks.push(chunk))
      stream.on('end', () => {
        const refusal = receiver.refuseWith
        if (refusal) return callback(Object.assign(new Error(refusal.text), { responseCode: refusal.code }))
        const raw = Buffer.concat(chunks).toString('utf8')
        received.push({ to: session.envelope.rcptTo.map((address) => address.address), raw, headers: headersOf(raw) })
        callback()
      })
    },
  })
  // A client that is killed resets its connection.
  server.on('error', () => undefined)
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
  const { port: bound } = server.server.address() as AddressInfo
  const receiver: MailReceiver = {
    url: `smtp://127.0.0.1:${bound}`,
    received,
    refuseWith: undefined,
    [Symbol.asyncDispose]: () => new Promise((resolve) => server.close(() => resolve())),
  }
  return receiver
}

function headersOf(raw: string): Map<string, string> {
  const head = raw.slice(0, raw.indexOf('\r\n\r\n')).replaceAll(/\r\n[ \t]+/g, ' ')
  return new Map(head.split('\r\n').map((line) => [line.slice(0, line.indexOf(':')).toLowerCase(), line.slice(line.indexOf(':') + 2)]))
}

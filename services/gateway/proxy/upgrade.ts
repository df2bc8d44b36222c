import { request as sendRequest, type IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { Problem, type Logger } from '@maru/service-host'
import type { Upstream } from '../routing/instances.ts'
import { headerList, type HeaderText } from '../front/header-text.ts'
import { answerLines } from './headers.ts'
import { verdictOf } from './relay.ts'
import type { SlowReaders } from './slow-readers.ts'
import { SocketLink } from './socket-link.ts'

export interface UpgradeRequest {
  incoming: IncomingMessage
  socket: Duplex
  head: Buffer
  /** With its query. */
  path: string
  headers: HeaderText
  /** Headers of the gateway for the answer. */
  baseHeaders: HeaderText
  /** For the answer of the instance to the upgrade. */
  timeoutMs: number
  slowReaders: SlowReaders
  logger: Logger
}

/**
 * Asks an instance for the upgrade and then passes bytes both ways until either side ends. Resolves with what joins the two when the pass-through has begun, and with
 * the status when the instance has refused (its refusal is passed on); throws Problem `bad_gateway` or `gateway_timeout` where it did neither. `onEnd` is called once when a pass-through that began
 * is over.
 */
export function passUpgrade(upstream: Upstream, request: UpgradeRequest, onEnd: () => void): Promise<SocketLink | number> {
  const { incoming, socket } = request
  return new Promise((resolve, reject) => {
    const ticket = upstream.begin()
    const outgoing = sendRequest({
      host: upstream.origin.hostname.replace(/^\[|\]$/g, ''),
      port: upstream.origin.port,
      method: 'GET',
      path: request.path,
      headers: [...headerList(request.headers), 'host', upstream.origin.host, 'connection', 'Upgrade', 'upgrade', 'websocket'],
      agent: false,
      timeout: request.timeoutMs,
    })
    const onClientClose = () => {
      ticket.end()
      outgoing.destroy()
    }
    socket.once('close', onClientClose)
    outgoing.on('timeout', () => outgoing.destroy(new Problem('gateway_timeout')))
    outgoing.on('error', (error) => {
      socket.off('close', onClientClose)
      if (!socket.destroyed) {
        ticket.judge(error instanceof Problem ? 'timed_out' : 'failed')
        request.logger.warn({ err: error, upstream: upstream.instance.id }, 'an instance did not upgrade')
      }
      ticket.end()
      reject(error instanceof Problem ? error : new Problem('bad_gateway'))
    })
    outgoing.on('upgrade', (answer, service, head) => {
      socket.off('close', onClientClose)
      ticket.judge('answered')
      ticket.becomeStream()
      const { passed } = answerLines(answer.rawHeaders)
      socket.write(`HTTP/1.1 101 Switching Protocols\r\n${request.baseHeaders}${passed}connection: Upgrade\r\nupgrade: websocket\r\n\r\n`)
      const link = new SocketLink(socket, service, { client: request.head, service: head }, () => {
        ticket.end()
        upstream.links.delete(link)
        onEnd()
      })
      upstream.links.add(link)
      request.slowReaders.watch(socket, () => link.cut())
      resolve(link)
    })
    outgoing.on('response', (answer) => {
      socket.off('close', onClientClose)
      const status = answer.statusCode ?? 502
      ticket.judge(verdictOf(status, answer.headers['retry-after'] !== undefined))
      ticket.end()
      // A refusal, with its body; the connection ends with it, so that nothing more can be sent down this way.
      const { passed, cache } = answerLines(answer.rawHeaders)
      socket.write(`HTTP/1.1 ${status} ${answer.statusMessage ?? ''}\r\n${request.baseHeaders}${passed}${cache}connection: close\r\n\r\n`)
      answer.pipe(socket)
      answer.on('error', () => socket.destroy())
      incoming.resume()
      resolve(status)
    })
    outgoing.end()
  })
}

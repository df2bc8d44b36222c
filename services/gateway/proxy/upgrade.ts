import { request as sendRequest, type IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { Problem, type Logger } from '@maru/service-host'
import type { Upstream } from '../routing/instances.ts'
import { headerList, type HeaderText } from '../front/header-text.ts'
import { answerLines } from './headers.ts'
import { verdictOf } from './relay.ts'
import type { SlowReaders } from './slow-readers.ts'

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
 * Asks an instance for the upgrade and then passes bytes both ways, without looking at them, until either side ends. Resolves when
 * the pass-through has begun or the instance has refused (its refusal is passed on); throws Problem `bad_gateway` or
 * `gateway_timeout` where it did neither. `onEnd` is called once when a pass-through that began is over.
 */
export function passUpgrade(upstream: Upstream, request: UpgradeRequest, onEnd: () => void): Promise<'open' | 'refused'> {
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
      if (head.length > 0) socket.write(head)
      if (request.head.length > 0) service.write(request.head)
      const cut = join(socket, service, () => {
        ticket.end()
        upstream.links.delete(cut)
        onEnd()
      })
      upstream.links.add(cut)
      request.slowReaders.watch(socket, cut)
      resolve('open')
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
      resolve('refused')
    })
    outgoing.end()
  })
}

/** Pipes are bounded by their high-water marks: a slow reader holds up its own sender and no one else, and not for ever (`SlowReaders`). Gives what cuts it. */
function join(client: Duplex, service: Socket | Duplex, onEnd: () => void): () => void {
  for (const side of [client, service]) {
    if ('setTimeout' in side) side.setTimeout(0)
    if ('setNoDelay' in side) side.setNoDelay(true)
  }
  let ended = false
  const end = () => {
    client.destroy()
    service.destroy()
    if (!ended) onEnd()
    ended = true
  }
  client.on('error', end).on('close', end)
  service.on('error', end).on('close', end)
  client.pipe(service)
  service.pipe(client)
  return end
}

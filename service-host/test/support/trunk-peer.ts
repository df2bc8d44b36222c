import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { expect } from 'vitest'
import { FrameWriter, type OutgoingFrame } from '../../trunk/frame-writer.ts'
import { frameKinds, FrameReader, trunkPath, trunkProtocol, type Frame } from '../../trunk/frames.ts'

/** What speaks frames on a trunk, and nothing else. */

interface Heard {
  kind: number
  flag: boolean
  place: number
  id: number
  totalBytes: number
  head: string
  body: string
}

export interface Peer {
  socket: Socket
  send(...frames: OutgoingFrame[]): void
  /** Frames that came, in order. */
  heard: Heard[]
  /** The next so many of them, once they are there. */
  next(count: number): Promise<Heard[]>
  closed: Promise<unknown>
}

export async function openTrunk(url: URL): Promise<Peer> {
  const socket = connect({ host: url.hostname, port: Number(url.port), noDelay: true })
  socket.on('error', () => undefined)
  const closed = once(socket, 'close')
  socket.write(`GET ${trunkPath} HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: ${trunkProtocol}\r\n\r\n`)
  const [first] = (await once(socket, 'data')) as [Buffer]
  expect(first.toString('latin1')).toBe(`HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: ${trunkProtocol}\r\n\r\n`)
  const heard: Heard[] = []
  const reader = new FrameReader({ maxBytes: 2 ** 24, isLent: false })
  let taken = 0
  socket.on('data', (chunk: Buffer) => reader.read(chunk, (frame) => heard.push(heardOf(frame)) > 0))
  const writer = new FrameWriter(socket)
  return {
    socket,
    heard,
    closed,
    send: (...frames) => {
      for (const frame of frames) writer.add(frame)
    },
    async next(count) {
      while (heard.length < taken + count)
        await Promise.race([once(socket, 'data'), closed.then(() => Promise.reject(new Error('closed')))])
      taken += count
      return heard.slice(taken - count, taken)
    },
  }
}

function heardOf({ kind, flag, place, id, totalBytes, bytes, from, bodyFrom, end }: Frame): Heard {
  const [head, body] = [bytes.toString('latin1', from, bodyFrom), bytes.toString('utf8', bodyFrom, end)]
  return { kind, flag, place, id, totalBytes, head, body }
}

export const ask = (id: number, head: string, body?: string): OutgoingFrame => ({
  kind: frameKinds.request,
  id,
  head,
  ...(body === undefined ? {} : { body, flag: true }),
})
export const answered = (id: number) => ({ kind: frameKinds.answer, flag: false, id })
export const elsewhere = (id: number) => expect.objectContaining({ kind: frameKinds.elsewhere, id, body: '' }) as unknown

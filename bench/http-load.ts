import { connect, type Socket } from 'node:net'

/** What to ask for: a load of requests over keep-alive connections, one request at a time on each. */
export interface LoadOptions {
  url: string
  connections: number
  /** Not counted. */
  warmupMs: number
  durationMs: number
  /** The bytes of a request, by connection and its count there. Build it with `jsonRequest`. */
  request(connection: number, count: number): Buffer
}

export interface LoadResult {
  requestsPerSecond: number
  p50Ms: number
  p99Ms: number
  /** Answers by status, the warm-up included. */
  statuses: Record<number, number>
}

/** A POST with a JSON body as bytes. */
export function jsonRequest(url: string, path: string, body: string, headers: Record<string, string> = {}): Buffer {
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`)
  return Buffer.from(
    `POST ${path} HTTP/1.1\r\nHost: ${new URL(url).host}\r\nContent-Type: application/json\r\n${lines.join('')}Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  )
}

/**
 * Loads an HTTP server from this thread with as little work as can be, so that the server is what is measured. Understands answers
 * with a Content-Length only. Rejects when a connection breaks or an answer cannot be read.
 */
export async function httpLoad(options: LoadOptions): Promise<LoadResult> {
  const startMs = performance.now()
  const measureFromMs = startMs + options.warmupMs
  const endMs = measureFromMs + options.durationMs
  const latenciesMs: number[] = []
  const statuses: Record<number, number> = {}
  await Promise.all(
    Array.from({ length: options.connections }, (_, connection) =>
      oneConnection(options, connection, endMs, (status, sentMs, nowMs) => {
        statuses[status] = (statuses[status] ?? 0) + 1
        if (sentMs >= measureFromMs && nowMs <= endMs) latenciesMs.push(nowMs - sentMs)
      }),
    ),
  )
  const sorted = Float64Array.from(latenciesMs).sort()
  const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN
  return { requestsPerSecond: (sorted.length * 1_000) / options.durationMs, p50Ms: at(0.5), p99Ms: at(0.99), statuses }
}

type Count = (status: number, sentMs: number, nowMs: number) => void

const answerBytesMax = 64 * 1_024

/** Reads into one buffer and parses in place: streams and their events would cost as much as the server's part of an echo. */
function oneConnection(options: LoadOptions, connection: number, endMs: number, count: Count): Promise<void> {
  const { hostname, port } = new URL(options.url)
  return new Promise((resolve, reject) => {
    const received = Buffer.allocUnsafeSlow(answerBytesMax)
    let length = 0
    let requests = 0
    let sentMs = 0
    let over = false
    const socket: Socket = connect({
      host: hostname,
      port: Number(port),
      noDelay: true,
      onread: { buffer: Buffer.allocUnsafeSlow(answerBytesMax), callback: onRead },
    })
    const fail = (error: Error) => {
      if (!over) reject(error)
      over = true
      socket.destroy()
    }
    const next = (now: number) => {
      if (now >= endMs) {
        over = true
        socket.end()
        resolve()
        return
      }
      sentMs = now
      socket.write(options.request(connection, requests++))
    }
    function onRead(bytes: number, chunk: Uint8Array): boolean {
      if (length + bytes > answerBytesMax) {
        fail(new Error(`an answer is longer than ${answerBytesMax} bytes`))
        return false
      }
      received.set(chunk.subarray(0, bytes), length)
      length += bytes
      const answer = readAnswer(received.subarray(0, length))
      if (answer === 'partial') return true
      if (answer === 'unreadable' || length > answer.bytes) {
        fail(new Error(`cannot read: ${received.toString('latin1', 0, Math.min(length, 300))}`))
        return false
      }
      length = 0
      const now = performance.now()
      count(answer.status, sentMs, now)
      next(now)
      return true
    }
    socket.on('connect', () => next(performance.now()))
    socket.on('error', fail)
    socket.on('close', () => fail(new Error(`connection ${connection} was closed after ${requests} requests`)))
  })
}

function readAnswer(bytes: Buffer): 'partial' | 'unreadable' | { status: number; bytes: number } {
  const headEnd = bytes.indexOf('\r\n\r\n')
  if (headEnd === -1) return 'partial'
  const head = bytes.toString('latin1', 0, headEnd)
  const length = /\r\ncontent-length: *(\d+)/i.exec(head)?.[1]
  if (length === undefined) return 'unreadable'
  const total = headEnd + 4 + Number(length)
  return bytes.length < total ? 'partial' : { status: Number(head.slice(9, 12)), bytes: total }
}

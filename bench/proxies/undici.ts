import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Pool } from 'undici'

/** The plainest proxy of `node:http` and undici's dispatch: what comes is read whole, passed on, and the answer passed back whole. */
const pool = new Pool(process.env['UPSTREAM_URL']!, { connections: 256, pipelining: 1 })

const server = createServer({ keepAliveTimeout: 65_000 }, (request, response) => {
  const chunks: Buffer[] = []
  request.on('data', (chunk: Buffer) => chunks.push(chunk))
  request.on('end', () => {
    const { host: _, connection: __, ...headers } = request.headers
    const answer: Buffer[] = []
    let status = 502
    let answered: Record<string, string | string[] | undefined> = {}
    pool.dispatch(
      { method: request.method as 'POST', path: request.url!, headers, body: Buffer.concat(chunks) },
      {
        onRequestStart: () => undefined,
        onResponseStart: (_controller, code, { connection: ___, 'keep-alive': ____, ...rest }) => {
          status = code
          answered = rest
        },
        onResponseData: (_controller, chunk) => void answer.push(chunk),
        onResponseEnd: () => void response.writeHead(status, answered as Record<string, string>).end(Buffer.concat(answer)),
        onResponseError: () => void response.writeHead(502).end(),
      },
    )
  })
})
server.listen(0, '127.0.0.1', () => process.send?.({ type: 'ready', url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` }))
process.on('disconnect', () => process.exit(0))

import { createServer } from 'node:net'

export class PortTakenError extends Error {
  override name = 'PortTakenError'

  constructor(port: number) {
    super(
      `Port ${port} is taken by another program, so the gateway cannot listen there. ` +
        `Stop that program, or choose another port: MARU_PORT=${port === 8_080 ? 8_081 : port + 1} npm start`,
    )
  }
}

/** Checks that `host:port` can be listened on, and gives the port: a free one for 0. Throws PortTakenError. */
export async function claimPort(host: string, port: number): Promise<number> {
  const server = createServer()
  try {
    return await new Promise<number>((resolve, reject) => {
      server.once('error', (error: NodeJS.ErrnoException) => {
        if (error.code === 'EADDRINUSE') reject(new PortTakenError(port))
        else if (error.code === 'EACCES')
          reject(new Error(`This user may not listen on port ${port}; choose one above 1023 with MARU_PORT.`))
        else reject(error)
      })
      server.listen({ host, port, exclusive: true }, () => {
        const address = server.address()
        resolve(typeof address === 'object' && address !== null ? address.port : port)
      })
    })
  } finally {
    await new Promise((resolve) => server.close(resolve))
  }
}

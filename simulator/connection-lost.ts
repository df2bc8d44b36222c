/** What a client of the database sees when the connection is gone: the code is one that the real client tries again after. */
export function connectionLost(code: 'ECONNRESET' | 'ECONNREFUSED' = 'ECONNRESET'): Error {
  return Object.assign(new Error(`the connection to the simulated database was lost (${code})`), { code })
}

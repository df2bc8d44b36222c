/** The server could not be started; the message says why and what to do. */
export class PostgresStartError extends Error {
  override name = 'PostgresStartError'
}

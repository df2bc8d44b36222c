import { startPostgres } from '../index.ts'

/** Owns a server until it is killed; says which. */
const server = await startPostgres({ dataFolder: process.argv[2] ?? '' })
process.stdout.write(`${server.pid} ${server.port}\n`)

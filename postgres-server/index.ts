export { PostgresStartError } from './errors.ts'
export { startPostgres, type PostgresExit, type PostgresLogger, type PostgresOptions, type PostgresServer } from './server.ts'

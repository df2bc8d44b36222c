export { PostgresStartError } from './errors.ts'
export { stopLeftover } from './orphans.ts'
export { adminUrlOf, startPostgres, type PostgresExit, type PostgresLogger, type PostgresOptions, type PostgresServer } from './server.ts'

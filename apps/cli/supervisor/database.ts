import { setTimeout as sleep } from 'node:timers/promises'
import { startPostgres, type PostgresServer } from '@maru/postgres-server'
import type { Terminal } from '../terminal.ts'
import { restartDelayMs } from './backoff.ts'
import { LogFile } from './log-file.ts'

/** The PostgreSQL of a home folder, kept running on one port. */
export interface Database {
  /** The URL of its superuser. A secret. */
  adminUrl: string
  stop(): Promise<void>
  /** Ends it at once, as a crash would; nothing acknowledged is lost. */
  kill(): void
}

/** Starts PostgreSQL on `dataFolder`, and again on the same port whenever it dies. Throws PostgresStartError when the first start fails. */
export async function runDatabase(options: { dataFolder: string; logFile: string; terminal: Terminal }): Promise<Database> {
  const { dataFolder, terminal } = options
  const log = new LogFile(options.logFile, {
    onFault: (error) => terminal.note(`cannot write ${options.logFile}: ${error.message}; lines are lost`),
  })
  const write = (level: string, message: string): void => log.write(`${new Date().toISOString()} ${level} ${message}`)
  const logger = {
    debug: (_fields: object, message: string) => write('debug', message),
    info: (_fields: object, message: string) => write('info', message),
    warn: (_fields: object, message: string) => write('warn', message),
    error: (_fields: object, message: string) => {
      write('error', message)
      terminal.note(`postgres: ${message}`)
    },
  }
  let stopping = false
  let server = await startPostgres({ dataFolder, logger })
  const { port, adminUrl } = server

  const restart = async (): Promise<PostgresServer | undefined> => {
    for (let failures = 1; !stopping; failures += 1) {
      await sleep(restartDelayMs(failures))
      if (stopping) return undefined
      try {
        // The services know this port, so that another one would be of no use.
        return await startPostgres({ dataFolder, port, logger })
      } catch (error) {
        terminal.note(`postgres could not be started again: ${(error as Error).message.split('\n')[0]}`)
      }
    }
    return undefined
  }
  const keepRunning = async (): Promise<void> => {
    while (!stopping) {
      const exit = await server.exited
      if (stopping) return
      const endedAtMs = Date.now()
      terminal.note(`postgres ended (${exit.signal === null ? `exit code ${exit.code}` : `signal ${exit.signal}`}); it is started again`)
      const next = await restart()
      if (!next) return
      server = next
      terminal.note(`postgres is back after ${((Date.now() - endedAtMs) / 1_000).toFixed(1)} s`)
    }
  }
  const kept = keepRunning()

  return {
    adminUrl,
    kill: () => {
      stopping = true
      void server.kill()
    },
    async stop() {
      stopping = true
      await server.stop()
      // A restart that was under way has a server of its own by now.
      await kept
      await server.stop()
      log[Symbol.dispose]()
    },
  }
}

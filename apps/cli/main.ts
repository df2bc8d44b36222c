import { showLogs } from './commands/logs.ts'
import { start } from './commands/start.ts'
import { showStatus } from './commands/status.ts'
import { stop } from './commands/stop.ts'
import { verify } from './commands/verify.ts'
import { loadEnvironment } from './config.ts'

const usage = `maru: a trading floor you can run yourself

  maru start            run the whole platform (npm start)
  maru status           what runs, from the gateway's view
  maru stop             stop the platform of this MARU_HOME
  maru logs [service]   the last lines of the logs
  maru verify FILE      check an account's stream that was downloaded

Settings are environment variables or lines of a file .env here; .env.example lists them.
`

const commands: Record<string, (parameters: readonly string[]) => Promise<number>> = {
  start: (parameters) => start(loadEnvironment(), parameters),
  status: () => showStatus(loadEnvironment()),
  stop: () => stop(loadEnvironment()),
  logs: (parameters) => showLogs(loadEnvironment(), parameters),
  verify: (parameters) => verify(loadEnvironment(), parameters),
}

const [name = 'help', ...parameters] = process.argv.slice(2)
const command = Object.hasOwn(commands, name) ? commands[name] : undefined
if (command) {
  process.exitCode = await command(parameters)
  // A socket or a pipe that is still open must not keep a finished command alive.
  process.exit()
} else if (['help', '--help', '-h'].includes(name)) {
  process.stdout.write(usage)
} else {
  process.stderr.write(`maru: there is no command "${name}".\n\n${usage}`)
  process.exitCode = 64
}

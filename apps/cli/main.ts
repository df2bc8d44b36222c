import { loadEnvironment } from './config.ts'

const usage = `maru: a trading floor you can run yourself

  maru start [--replicas SERVICE=N,…] [--own-releases]
                        run the whole platform (npm start), with so many instances; the numbers last until they are changed.
                        --own-releases runs every service from this folder again, whatever was deployed from others
  maru status [--once] [--json]
                        every instance, drawn anew each second on a terminal
  maru logs [SERVICE] [-f] [--instance ID] [--json]
                        the last lines of the logs, and with -f those to come
  maru scale SERVICE=N…
                        more or fewer instances of a service
  maru deploy SERVICE…|all [--from FOLDER] [--ready-within SECONDS] [--bake SECONDS]
                        replace the instances of a service one by one with what is on disk here, or in the checkout FOLDER;
                        puts all back when a new instance does not get ready (60 s) or does not stay so (2 s)
  maru restart SERVICE…|all
                        the same with the release that runs
  maru stop             stop the platform of this MARU_HOME
  maru backup FOLDER    save all data and secrets as of one moment, whether it runs or not
  maru restore FOLDER   a backup into a MARU_HOME that is empty or not there yet
  maru verify FILE      check an account's stream that was downloaded

Settings are environment variables or lines of a file .env here; .env.example lists them.
`

// Each is loaded when it is called: to ask a running supervisor for something needs little of what it takes to run one.
const commands: Record<string, (parameters: readonly string[]) => Promise<number>> = {
  start: async (parameters) => (await import('./commands/start.ts')).start(loadEnvironment(), parameters),
  status: async (parameters) => (await import('./commands/status.ts')).showStatus(loadEnvironment(), parameters),
  scale: async (parameters) => (await import('./commands/change.ts')).scale(loadEnvironment(), parameters),
  deploy: async (parameters) => (await import('./commands/change.ts')).deploy(loadEnvironment(), parameters),
  restart: async (parameters) => (await import('./commands/change.ts')).restart(loadEnvironment(), parameters),
  stop: async () => (await import('./commands/stop.ts')).stop(loadEnvironment()),
  logs: async (parameters) => (await import('./commands/logs.ts')).showLogs(loadEnvironment(), parameters),
  backup: async (parameters) => (await import('./commands/backup.ts')).backup(loadEnvironment(), parameters),
  restore: async (parameters) => (await import('./commands/restore.ts')).restore(loadEnvironment(), parameters),
  verify: async (parameters) => (await import('./commands/verify.ts')).verify(loadEnvironment(), parameters),
}

const [name = 'help', ...parameters] = process.argv.slice(2)
const command = Object.hasOwn(commands, name) ? commands[name] : undefined
if (command) {
  try {
    process.exitCode = await command(parameters)
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    if (!code?.startsWith('ERR_PARSE_ARGS')) throw error
    process.stderr.write(`maru ${name}: ${message}\n`)
    process.exitCode = 64
  }
  // A socket or a pipe that is still open must not keep a finished command alive.
  process.exit()
} else if (['help', '--help', '-h'].includes(name)) {
  process.stdout.write(usage)
} else {
  process.stderr.write(`maru: there is no command "${name}".\n\n${usage}`)
  process.exitCode = 64
}

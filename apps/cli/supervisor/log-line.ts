/** From this level of pino's on (50: error), a line is worth the terminal; all lines are in the log file. */
const levelMin = 50
const noteMax = 300

/** A line for the log file: as the service said it where it is an entry of its log, and else as an entry that tells which instance said it. */
export function logLine(line: string, stream: 'stdout' | 'stderr', service: string, instance: string, now = new Date()): string {
  if (line.startsWith('{"level":')) return line
  return JSON.stringify({ level: stream === 'stderr' ? 50 : 30, time: now.toISOString(), service, instance, msg: line })
}

/** What of a line of a service's log is shown on the terminal, shortly; undefined for what only goes to the file. */
export function noteOfLine(line: string, stream: 'stdout' | 'stderr'): string | undefined {
  const entry = parseEntry(line)
  if (entry === undefined) return stream === 'stderr' && !isNoise(line) ? line.slice(0, noteMax) : undefined
  if (entry.level < levelMin) return undefined
  return (entry.cause === undefined ? entry.message : `${entry.message}: ${entry.cause}`).slice(0, noteMax)
}

/** Which instance said a line of a log; undefined where the line does not tell. */
export function instanceOfLine(line: string): string | undefined {
  return /"instance":"([^"]+)"/.exec(line)?.[1]
}

/** A line of a log as a person reads it: time, level, message, what it is about. Lines that are not of pino's shape are left as they are. */
export function readableLine(line: string): string {
  const entry = parseEntry(line)
  if (entry === undefined) return line
  const { time, message, cause } = entry
  const about = Object.entries(entry.about).map(([name, value]) => ` ${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`)
  const said = cause === undefined ? message : `${message}: ${cause}`
  return `${time} ${(levelNames[entry.level] ?? String(entry.level)).padEnd(5)} ${said}${about.join('').slice(0, aboutMax)}`
}

const aboutMax = 500

const levelNames: Record<number, string> = { 10: 'trace', 20: 'debug', 30: 'info', 40: 'warn', 50: 'error', 60: 'fatal' }

interface Entry {
  level: number
  message: string
  cause: string | undefined
  time: string
  /** All other fields but those that every line of a file shares. */
  about: Record<string, unknown>
}

function parseEntry(line: string): Entry | undefined {
  if (!line.startsWith('{')) return undefined
  try {
    const {
      level,
      msg,
      err,
      time,
      service: _service,
      instance: _instance,
      ...about
    } = JSON.parse(line) as Record<string, unknown> & {
      err?: { message?: unknown }
    }
    if (typeof level !== 'number') return undefined
    return {
      level,
      message: typeof msg === 'string' ? msg : '',
      cause: typeof err?.message === 'string' ? err.message : undefined,
      time: typeof time === 'string' ? time : '',
      about,
    }
  } catch {
    // Cut in the middle, or not a log entry: shown as it is.
    return undefined
  }
}

/** Places, stack traces and Node's remarks on deprecations and the like: for the file, not for the terminal. */
function isNoise(line: string): boolean {
  return /^\s|^\(Use `node|^\(node:\d+\)|^Node\.js v|^[}\])]|^(node:|file:\/\/)\S+:\d+$|^Settings at fault:|^See \.env\.example/.test(line)
}

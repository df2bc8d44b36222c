/** From this level of pino's on (50: error), a line is worth the terminal; all lines are in the log file. */
const levelMin = 50
const noteMax = 300

/** What of a line of a service's log is shown on the terminal, shortly; undefined for what only goes to the file. */
export function noteOfLine(line: string, stream: 'stdout' | 'stderr'): string | undefined {
  const entry = parseEntry(line)
  if (entry === undefined) return stream === 'stderr' && !isNoise(line) ? line.slice(0, noteMax) : undefined
  if (entry.level < levelMin) return undefined
  return (entry.cause === undefined ? entry.message : `${entry.message}: ${entry.cause}`).slice(0, noteMax)
}

/** A line of a log as a person reads it: time, level, message. Lines that are not of pino's shape are left as they are. */
export function readableLine(line: string): string {
  const entry = parseEntry(line)
  if (entry === undefined) return line
  const { time, message, cause } = entry
  return `${time} ${(levelNames[entry.level] ?? String(entry.level)).padEnd(5)} ${cause === undefined ? message : `${message}: ${cause}`}`
}

const levelNames: Record<number, string> = { 10: 'trace', 20: 'debug', 30: 'info', 40: 'warn', 50: 'error', 60: 'fatal' }

function parseEntry(line: string): { level: number; message: string; cause: string | undefined; time: string } | undefined {
  if (!line.startsWith('{')) return undefined
  try {
    const { level, msg, err, time } = JSON.parse(line) as { level?: unknown; msg?: unknown; err?: { message?: unknown }; time?: unknown }
    if (typeof level !== 'number') return undefined
    return {
      level,
      message: typeof msg === 'string' ? msg : '',
      cause: typeof err?.message === 'string' ? err.message : undefined,
      time: typeof time === 'string' ? time : '',
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

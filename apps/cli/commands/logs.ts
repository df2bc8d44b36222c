import { readdir, readFile } from 'node:fs/promises'
import path from 'node:path'
import { readCliSettings, type Environment } from '../config.ts'
import { readableLine } from '../supervisor/log-line.ts'
import { openTerminal } from '../terminal.ts'

const linesShown = 100

/** `maru logs [service]`: the last lines of one log or of all, oldest first. */
export async function showLogs(environment: Environment, parameters: readonly string[]): Promise<number> {
  const terminal = openTerminal()
  const folder = path.join(readCliSettings(environment).homeFolder, 'logs')
  const known = (await readdir(folder).catch(() => [])).filter((file) => file.endsWith('.log')).map((file) => path.basename(file, '.log'))
  const [wanted] = parameters
  if (known.length === 0 || (wanted !== undefined && !known.includes(wanted))) {
    terminal.note(
      known.length === 0 ? `there are no logs in ${folder}` : `there is no log of "${wanted}"; there are: ${known.sort().join(', ')}`,
    )
    return 1
  }
  for (const name of wanted === undefined ? known.sort() : [wanted]) {
    const lines = (await readFile(path.join(folder, `${name}.log`), 'utf8')).trimEnd().split('\n')
    if (wanted === undefined) terminal.say(`--- ${name}`)
    for (const line of lines.slice(wanted === undefined ? -20 : -linesShown)) terminal.say(readableLine(line))
  }
  return 0
}

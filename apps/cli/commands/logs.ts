import { readdir, readFile } from 'node:fs/promises'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { readCliSettings, type Environment } from '../config.ts'
import { followFile } from '../follow-file.ts'
import { instanceOfLine, readableLine } from '../supervisor/log-line.ts'
import { openTerminal } from '../terminal.ts'

/** Lines shown of one log, and of each where all are shown. */
const linesShown = { one: 100, all: 20 }

/**
 * `maru logs [service] [-f] [--instance ID] [--json]`: the last lines of one log or of all, oldest first; with `-f` also what comes, until Ctrl-C. `--instance` shows
 * those of one instance, named by the end of its id or the whole.
 */
export async function showLogs(environment: Environment, parameters: readonly string[]): Promise<number> {
  const terminal = openTerminal()
  const { values, positionals } = parseArgs({
    args: [...parameters],
    allowPositionals: true,
    options: { follow: { type: 'boolean', short: 'f' }, instance: { type: 'string' }, json: { type: 'boolean' } },
  })
  const folder = path.join(readCliSettings(environment).homeFolder, 'logs')
  const known = (await readdir(folder).catch(() => [])).filter((file) => file.endsWith('.log')).map((file) => path.basename(file, '.log'))
  const [wanted] = positionals
  if (known.length === 0 || (wanted !== undefined && !known.includes(wanted))) {
    terminal.note(
      known.length === 0 ? `there are no logs in ${folder}` : `there is no log of "${wanted}"; there are: ${known.sort().join(', ')}`,
    )
    return 1
  }
  const names = wanted === undefined ? known.sort() : [wanted]
  const isWanted = (line: string): boolean => values.instance === undefined || (instanceOfLine(line)?.endsWith(values.instance) ?? false)
  const shown = (line: string): string => (values.json ? line : readableLine(line))
  for (const name of names) {
    const lines = (await readFile(path.join(folder, `${name}.log`), 'utf8')).trimEnd().split('\n').filter(isWanted)
    if (wanted === undefined) terminal.say(`--- ${name}`)
    for (const line of lines.slice(wanted === undefined ? -linesShown.all : -linesShown.one)) terminal.say(shown(line))
  }
  if (!values.follow) return 0
  const prefix = (name: string): string => (wanted === undefined ? `${name}: ` : '')
  const never = new AbortController().signal
  await Promise.all(
    names.map((name) =>
      followFile(path.join(folder, `${name}.log`), never, (line) => {
        if (isWanted(line)) terminal.say(`${prefix(name)}${shown(line)}`)
      }),
    ),
  )
  return 0
}

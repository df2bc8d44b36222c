import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { text as readAll } from 'node:stream/consumers'
import type { Environment } from '../config.ts'
import { openTerminal } from '../terminal.ts'
import { verifyAccountStream } from '../verify/account-stream.ts'

const usage = `maru verify FILE: checks an account's stream that was downloaded, without asking anybody

FILE holds what GET /api/trading/accounts/{user_id}/events gave: one page or several one after another, a list
of events, or an event a line; "-" reads standard input. The numbers must have no gap, each event must name
the hash of the one before it, and have the hash that follows from what it says:

  hash = SHA-256(previous_hash \\n sequence \\n type \\n timestamp \\n data)

where data is JSON with sorted keys and no spaces. Prints one line and ends with 0 where all is right, with 1
where it is not; then the line names the first event at fault. A stream that does not begin with event 1 is
right as far as it goes: hold its "previous_hash" against the last hash you had before.

  curl -s -H "$AUTH" "$MARU/api/trading/accounts/$USER_ID/events?limit=1000" > /tmp/events.json
  npm run maru -- verify /tmp/events.json
`

const exitCodes = { good: 0, damaged: 1, usage: 64, noInput: 66 } as const

/** `maru verify FILE`. Gives the exit code. */
export async function verify(environment: Environment, parameters: readonly string[]): Promise<number> {
  const terminal = openTerminal()
  const [file] = parameters
  if (file === '--help' || file === '-h') {
    terminal.say(usage.trimEnd())
    return exitCodes.good
  }
  if (file === undefined || parameters.length > 1) {
    terminal.note(`"verify" takes one file; see maru verify --help`)
    return exitCodes.usage
  }
  let text: string
  try {
    // npm runs scripts in the folder of the package; a path is meant from where the person stands.
    text = file === '-' ? await readAll(process.stdin) : await readFile(path.resolve(environment['INIT_CWD'] ?? '.', file), 'utf8')
  } catch (error) {
    terminal.note(`${file} cannot be read: ${(error as Error).message}`)
    return exitCodes.noInput
  }
  const verdict = verifyAccountStream(text)
  if (!verdict.isGood) {
    terminal.say(`damaged${verdict.sequence === undefined ? '' : ` at event ${verdict.sequence}`}: ${verdict.fault}`)
    return exitCodes.damaged
  }
  const { events, first, last, lastHash, previousHash } = verdict
  const start = first === 1 ? '' : `, after hash ${previousHash}`
  terminal.say(`good: ${events} events, ${first} to ${last}${start}; last hash ${lastHash}`)
  return exitCodes.good
}

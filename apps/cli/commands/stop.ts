import { setTimeout as sleep } from 'node:timers/promises'
import { readCliSettings, type Environment } from '../config.ts'
import { command } from '../control-client.ts'
import { liveHolder } from '../supervisor/lock.ts'
import { stillRuns } from '../supervisor/process-identity.ts'
import { openTerminal } from '../terminal.ts'

const patienceMs = 30_000

/** `maru stop`: asks the supervisor of this home to stop and waits for it. 0 when nothing runs afterwards. */
export async function stop(environment: Environment): Promise<number> {
  const terminal = openTerminal()
  const { homeFolder } = readCliSettings(environment)
  const holder = liveHolder(homeFolder)
  if (!holder) {
    terminal.say(`Maru does not run on ${homeFolder}.`)
    return 0
  }
  // Where it takes no commands a signal does; on Windows that would be no request but the end.
  if (!(await command(homeFolder, 'stop').catch(() => undefined))?.ok) process.kill(holder.pid, 'SIGTERM')
  for (const end = Date.now() + patienceMs; Date.now() < end; await sleep(50)) {
    if (stillRuns(holder)) continue
    terminal.say('Maru has stopped.')
    return 0
  }
  terminal.note(`it still runs (pid ${holder.pid}) after ${patienceMs / 1_000} s`)
  return 1
}

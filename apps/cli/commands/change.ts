import { parseArgs } from 'node:util'
import path from 'node:path'
import { readCliSettings, type Environment } from '../config.ts'
import { command } from '../control-client.ts'
import { parseReplicas } from '../supervisor/deployment.ts'
import { liveHolder } from '../supervisor/lock.ts'
import { openTerminal } from '../terminal.ts'

const exitCodes = { ok: 0, failed: 1, notRunning: 3, usage: 64 } as const

/** `maru scale SERVICE=N…`: so many instances of a service, from now on. */
export function scale(environment: Environment, parameters: readonly string[]): Promise<number> {
  return change(environment, 'scale', () => {
    const { positionals } = parseArgs({ args: [...parameters], allowPositionals: true, options: {} })
    const replicas = positionals.join(',')
    if (replicas === '') throw new Error('say of which service how many: maru scale trading=2')
    parseReplicas(replicas)
    return { replicas }
  })
}

/** `maru deploy SERVICE… [--from FOLDER] [--ready-within SECONDS] [--bake SECONDS]`: replaces the instances of services one by one with those of a release. */
export function deploy(environment: Environment, parameters: readonly string[]): Promise<number> {
  return change(environment, 'deploy', () => {
    const { values, positionals } = parseArgs({
      args: [...parameters],
      allowPositionals: true,
      options: { from: { type: 'string' }, 'ready-within': { type: 'string' }, bake: { type: 'string' } },
    })
    return {
      services: servicesOf(positionals),
      ...(values.from === undefined ? {} : { from: path.resolve(values.from) }),
      ...timesOf(values),
    }
  })
}

/** `maru restart SERVICE… [--ready-within SECONDS] [--bake SECONDS]`: as a deploy, of the release that runs. */
export function restart(environment: Environment, parameters: readonly string[]): Promise<number> {
  return change(environment, 'restart', () => {
    const { values, positionals } = parseArgs({
      args: [...parameters],
      allowPositionals: true,
      options: { 'ready-within': { type: 'string' }, bake: { type: 'string' } },
    })
    return { services: servicesOf(positionals), ...timesOf(values) }
  })
}

function servicesOf(positionals: readonly string[]): readonly string[] {
  if (positionals.length === 0) throw new Error('name a service, or all')
  return positionals
}

function timesOf(values: { 'ready-within'?: string | undefined; bake?: string | undefined }): Record<string, number> {
  const given = { readyWithin: values['ready-within'], bake: values.bake }
  return Object.fromEntries(
    Object.entries(given)
      .filter(([, text]) => text !== undefined)
      .map(([name, text]) => {
        if (!/^\d+(\.\d+)?$/.test(text ?? '')) throw new Error(`"${text}" is no number of seconds`)
        return [name, Number(text)]
      }),
  )
}

/** Has the supervisor carry a command out and says what it says. It goes on with it should this process be ended. */
async function change(environment: Environment, name: string, read: () => Record<string, unknown>): Promise<number> {
  const terminal = openTerminal()
  let parameters: Record<string, unknown>
  try {
    parameters = read()
  } catch (error) {
    terminal.note(`${name}: ${(error as Error).message}`)
    return exitCodes.usage
  }
  const { homeFolder } = readCliSettings(environment)
  if (!liveHolder(homeFolder)) {
    terminal.note(`Maru does not run on ${homeFolder}.`)
    return exitCodes.notRunning
  }
  try {
    const { ok, summary } = await command(homeFolder, name, parameters, (line) => terminal.say(line))
    if (ok) terminal.say(summary)
    else terminal.note(summary)
    return ok ? exitCodes.ok : exitCodes.failed
  } catch (error) {
    terminal.note(`${name}: ${(error as Error).message}`)
    return exitCodes.failed
  }
}

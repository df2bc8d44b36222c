import { existsSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { serviceKeys, type ServiceKey } from '@maru/service-host/names'
import { writePrivateFile } from '../secrets.ts'
import type { SupervisedService } from './service-group.ts'

/** What of the platform was changed by command and lasts: the next start goes on with it. */
export type Deployment = Partial<Record<ServiceKey, { replicas?: number; release?: string }>>

/** Most instances of one service. */
export const replicasMax = 8

/** In the folder of a release; older ones have none, and for their instances nothing stands by. */
export const standbyProgram = 'service-host/standby.ts'

const fileName = 'deployment.json'

/** What a home folder was left with; empty where nothing was ever changed. Throws an Error that names the file where it cannot be read. */
export function readDeployment(homeFolder: string): Deployment {
  const file = path.join(homeFolder, fileName)
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return {}
    throw error
  }
  try {
    const entries = Object.entries(JSON.parse(text) as Record<string, { replicas?: unknown; release?: unknown }>)
    const isSound = entries.every(
      ([name, { replicas, release }]) =>
        isService(name) &&
        (replicas === undefined || isReplicas(replicas)) &&
        (release === undefined || (typeof release === 'string' && path.isAbsolute(release))),
    )
    if (isSound) return Object.fromEntries(entries) as Deployment
  } catch {
    // Judged below: what cannot be parsed and what has another shape are the same fault.
  }
  throw new Error(
    `${file} is damaged: it says how many instances of each service run and from which release. Mend it, or delete it for one of each.`,
  )
}

export async function writeDeployment(homeFolder: string, deployment: Deployment): Promise<void> {
  await writePrivateFile(path.join(homeFolder, fileName), `${JSON.stringify(deployment, null, 2)}\n`)
}

export function isService(name: string): name is ServiceKey {
  return (serviceKeys as readonly string[]).includes(name)
}

function isReplicas(count: unknown): count is number {
  return Number.isInteger(count) && (count as number) >= 1 && (count as number) <= replicasMax
}

/** `trading=2,gateway=2` as numbers by service. Throws an Error that says what is wrong with it. */
export function parseReplicas(text: string): Map<ServiceKey, number> {
  const replicas = new Map<ServiceKey, number>()
  for (const part of text.split(',')) {
    const [name = '', count = '', ...rest] = part.split('=').map((word) => word.trim())
    if (!isService(name)) throw new Error(`there is no service "${name}"; there are ${serviceKeys.join(', ')}`)
    if (rest.length > 0 || !/^\d+$/.test(count) || !isReplicas(Number(count)))
      throw new Error(`"${part.trim()}" must be like ${name}=2, with a number from 1 to ${replicasMax}`)
    if (replicas.has(name)) throw new Error(`${name} is given twice`)
    replicas.set(name, Number(count))
  }
  return replicas
}

/** Why a folder is no release that the service could be run from; undefined where it is one. */
export function releaseFault(folder: string, name: string): string | undefined {
  if (!existsSync(path.join(folder, 'services', name, 'main.ts')))
    return `${folder} holds no services/${name}/main.ts: name the folder of a checkout of Maru`
  if (!existsSync(path.join(folder, 'node_modules'))) return `${folder} has no node_modules: run npm ci there first`
  return undefined
}

/** The same service, run from the checkout in another folder, by the Node that its lockfile brought. */
export function inRelease(service: SupervisedService, folder: string): SupervisedService {
  const node = path.join(folder, 'node_modules/.bin/node')
  const { standby, ...rest } = service
  const ownStandby = path.join(folder, standbyProgram)
  return {
    ...rest,
    ...(standby !== undefined && existsSync(ownStandby) ? { standby: ownStandby } : {}),
    release: folder,
    entry: path.join(folder, 'services', service.name, 'main.ts'),
    environment: { ...service.environment, NODE_COMPILE_CACHE: path.join(folder, 'node_modules/.cache/maru') },
    // On Windows it is a script, which would stand between us and the process.
    ...(process.platform !== 'win32' && existsSync(node) ? { node } : {}),
  }
}

import { mkdir, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { plainRuntime } from '@maru/service-host/runtime'
import { onTestFinished } from 'vitest'
import { inRelease } from '../supervisor/deployment.ts'
import { ProcessList } from '../supervisor/leftovers.ts'
import type { RolloutOptions } from '../supervisor/rollout.ts'
import type { ServiceGroup, SupervisedService } from '../supervisor/service-group.ts'
import { Supervisor } from '../supervisor/supervisor.ts'
import { recordingTerminal, temporaryFolder } from './support.ts'

const fixture = path.join(import.meta.dirname, 'fixtures/service.ts')
export const sound = `await import(${JSON.stringify(fixture)})`
export const crashesAtStart = `process.stderr.write('no such column\\n'); process.exit(3)`
export const neverReady = `setInterval(() => undefined, 1000); process.on('SIGTERM', () => process.exit(0)); process.on('disconnect', () => process.exit(0))`
/** Answers its first health check, and is gone. */
export const diesSoon = `
  const { createServer } = await import('node:http')
  const server = createServer((request, response) => { response.end('{}'); response.on('close', () => process.exit(4)) })
  server.listen(0, '127.0.0.1', () => process.send({ type: 'ready', url: 'http://127.0.0.1:' + server.address().port }))`
/** Sound the first times it is started, and never again. */
export const soundTimes = (times: number) => `
  const { readdirSync, writeFileSync } = await import('node:fs')
  writeFileSync(import.meta.filename + '.started' + process.pid, '')
  if (readdirSync(import.meta.dirname).length > ${times} + 1) process.exit(5)
  ${sound}`

/** A service with instances that take requests, and a way to deploy another release of it. */
export async function given(instances = 2, environment: Record<string, string> = {}) {
  const folder = await temporaryFolder()
  const service: SupervisedService = {
    name: 'one',
    entry: fixture,
    stopPhase: 0,
    environment: { PATH: '/usr/bin:/bin', ...environment },
    runtime: plainRuntime,
  }
  const supervisor = new Supervisor({
    services: [service],
    logsFolder: path.join(folder.path, 'logs'),
    processes: new ProcessList(folder.path),
    terminal: recordingTerminal(),
  })
  onTestFinished(async () => {
    await supervisor.stop(2_000)
    await folder[Symbol.asyncDispose]()
  })
  supervisor.start(new Map([['one', instances]]))
  await supervisor.untilReady(async () => true, new AbortController().signal)
  const group = supervisor.groups.get('one') as ServiceGroup
  const ready = (): number => group.children.filter(({ url }) => url !== undefined).length
  let fewestReady = ready()
  const said: string[] = []
  const options: RolloutOptions = {
    readyWithinMs: 20_000,
    bakeMs: 300,
    drainMs: 5_000,
    seen: async () => undefined,
    say: (line) => {
      said.push(line)
      fewestReady = Math.min(fewestReady, ready())
    },
    signal: supervisor.stopping,
  }
  return {
    supervisor,
    group,
    options,
    said,
    fewestReady: () => fewestReady,
    pids: () => group.children.map(({ pid }) => pid as number),
    async release(program: string): Promise<SupervisedService> {
      const root = path.join(folder.path, 'release')
      await mkdir(path.join(root, 'services/one'), { recursive: true })
      await writeFile(path.join(root, 'services/one/main.ts'), program)
      return inRelease(service, root)
    },
  }
}

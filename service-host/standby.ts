// A program, run as `node standby.ts services/user/main.ts`: a process that has the modules of a service and waits for its turn.
//
// Most of the time from the end of a service's only process to the first answer of the next one goes into Node's start and into a thousand modules. A process that has
// done that beforehand has nothing else of an instance: no settings were read, no connection made, nothing announced. When the supervisor says so it runs the
// service's program, as a fresh process would.
import path from 'node:path'
import { pathToFileURL } from 'node:url'

const [program = ''] = process.argv.slice(2)
const turn = Promise.withResolvers<string>()

function onMessage(message: unknown): void {
  const { type, instanceId } = (message ?? {}) as { type?: unknown; instanceId?: unknown }
  if (type === 'begin' && typeof instanceId === 'string') turn.resolve(instanceId)
}

function onDisconnect(): void {
  process.exit(0)
}

process.on('message', onMessage)
process.on('disconnect', onDisconnect)
// Beside `main.ts`, which runs the service when it is loaded, lies what makes it.
await import(pathToFileURL(path.join(path.dirname(program), 'service.ts')).href)
process.send?.({ type: 'loaded' }, undefined, undefined, () => undefined)
process.env['MARU_INSTANCE_ID'] = await turn.promise
process.off('message', onMessage)
process.off('disconnect', onDisconnect)
await import(pathToFileURL(program).href)

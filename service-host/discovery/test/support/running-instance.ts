import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { Discovery, Lease } from '../../port.ts'
import { bareEnvironment } from '../../../../test/support/bare-environment.ts'

/** A place to announce in that tests may fill and take away. */
export interface RegistryUnderTest extends AsyncDisposable {
  /** As the gateway has it; each call gives a handle of its own, as another process would have. */
  open(lease?: Lease): Promise<Discovery>
  /** What an instance of `service` needs in its environment to announce itself. */
  environmentOf(service: string): Record<string, string>
  /** What the platform does when an instance comes and goes; nothing where instances announce themselves. */
  list(service: string, url: string): Promise<void>
  unlist(service: string, url: string): Promise<void>
  /** The list cannot be reached from now on, until it is brought back. */
  takeAway(): Promise<void>
  bringBack(): Promise<void>
}

/** An instance in a process of its own. */
export interface RunningInstance extends AsyncDisposable {
  readonly id: string
  readonly pid: number
  readonly url: string
  tell(message: { state?: 'starting' | 'ready'; withdraw?: true; inFlight?: number }): Promise<void>
  signal(signal: 'SIGKILL' | 'SIGSTOP' | 'SIGCONT'): void
}

const program = fileURLToPath(new URL('instance-process.ts', import.meta.url))

/** Starts an instance that is announced, and listed by the platform, as `starting`. */
export async function startInstance(registry: RegistryUnderTest, service: string, id: string): Promise<RunningInstance> {
  const environment = { ...bareEnvironment, INSTANCE_SERVICE: service, INSTANCE_ID: id, ...registry.environmentOf(service) }
  const child = fork(program, [], { env: environment, execArgv: [], stdio: ['ignore', 'ignore', 'inherit', 'ipc'] })
  const exited = once(child, 'exit')
  const [first] = (await Promise.race([once(child, 'message'), exited])) as [{ url: string } | number | null]
  if (typeof first !== 'object' || first === null) throw new Error(`an instance ended before it was announced, with ${first}`)
  const { url } = first
  await registry.list(service, url)
  return {
    id,
    pid: child.pid as number,
    url,
    async tell(message) {
      const done = once(child, 'message')
      child.send(message)
      await done
    },
    signal: (signal) => void child.kill(signal),
    async [Symbol.asyncDispose]() {
      // A process that was stopped ends by SIGKILL alone.
      child.kill('SIGKILL')
      await exited
    },
  }
}

import { createServer, connect, type Server, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import type { AddressInfo } from 'node:net'
import { runProgram } from '../namespace.ts'
import type { LiveInstance, Service } from '../platform.ts'
import { oneOf, type Fault } from './fault.ts'

/** A delayed packet is one that a relay holds back; the relay itself comes from this address, and is let through. */
const relayAddress = '127.0.0.2'
const delayMs = 50
const lastsMs = 4_000
const table = 'maru_chaos'
const targets = ['trading', 'user', 'market-data', 'notification', 'analytics'] as const satisfies readonly Service[]

/** All connections to one instance are broken off at once. */
const reset: Fault = {
  name: 'connections to one instance are reset',
  kind: 'network',
  service: undefined,
  async inject(platform, random) {
    const { url, service } = await target(platform, random)
    await cutOff(new URL(url).port)
    await platform.untilWhole(service)
  },
}

/** No packet reaches one instance, and none says so. */
const blackHole: Fault = {
  name: `packets to one instance vanish for ${lastsMs / 1_000} s`,
  kind: 'network',
  service: undefined,
  async inject(platform, random, { mended }) {
    const { url, service } = await target(platform, random)
    await withRules(
      [
        `add chain inet ${table} lost { type filter hook output priority 0; }`,
        `add rule inet ${table} lost tcp dport ${new URL(url).port} drop`,
      ],
      () => sleep(lastsMs),
    )
    mended()
    await platform.untilWhole(service)
  },
}

/** Everything sent to one instance arrives later, and its answers too. */
const latency: Fault = {
  name: `${delayMs} ms each way to one instance for ${lastsMs / 1_000} s`,
  kind: 'network',
  service: undefined,
  async inject(platform, random, { mended }) {
    const { url, service } = await target(platform, random)
    const { port } = new URL(url)
    await using relay = await DelayingRelay.to(Number(port))
    await withRules(
      [
        `add chain inet ${table} detour { type nat hook output priority -100; }`,
        `add rule inet ${table} detour ip saddr != ${relayAddress} tcp dport ${port} redirect to :${relay.port}`,
      ],
      async () => {
        // A detour is taken by new connections only.
        await cutOff(port)
        await sleep(lastsMs)
      },
    )
    mended()
    await platform.untilWhole(service)
  },
}

export const networkFaults: readonly Fault[] = [reset, blackHole, latency]

async function target(platform: { ready(service: Service): Promise<LiveInstance[]> }, random: () => number): Promise<LiveInstance> {
  return oneOf(await platform.ready(oneOf(targets, random)), random)
}

async function cutOff(port: string): Promise<void> {
  await runProgram('ss', ['--kill', '--tcp', 'dport', '=', `:${port}`])
}

async function withRules(rules: readonly string[], during: () => Promise<unknown>): Promise<void> {
  await runProgram('nft', ['add', 'table', 'inet', table])
  try {
    for (const rule of rules) await runProgram('nft', rule.split(' '))
    await during()
  } finally {
    await runProgram('nft', ['delete', 'table', 'inet', table])
  }
}

/** Passes bytes on to a port of this machine, each `delayMs` after it came. */
class DelayingRelay implements AsyncDisposable {
  readonly #server: Server
  readonly #sockets = new Set<Socket>()

  private constructor(server: Server) {
    this.#server = server
  }

  static async to(port: number): Promise<DelayingRelay> {
    const server = createServer()
    const relay = new DelayingRelay(server)
    server.on('connection', (near) => {
      const far = connect({ host: '127.0.0.1', port, localAddress: relayAddress, noDelay: true })
      relay.#pass(near, far)
      relay.#pass(far, near)
    })
    await new Promise<void>((resolve) => server.listen(0, '0.0.0.0', resolve))
    return relay
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy()
    await new Promise((resolve) => this.#server.close(resolve))
  }

  #pass(from: Socket, to: Socket): void {
    this.#sockets.add(from)
    from.setNoDelay(true)
    from.on('data', (chunk) => setTimeout(() => to.write(chunk), delayMs))
    from.on('error', () => undefined)
    from.on('close', () => {
      this.#sockets.delete(from)
      setTimeout(() => to.end(), delayMs)
    })
  }
}

import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { AUTHORITATIVE_ANSWER, decode, encode, type Answer, type Packet } from 'dns-packet'

/** A name server over UDP with records that tests change. */
export interface TestDnsServer {
  readonly port: number
  readonly services: { name: string; target: string; port: number; priority?: number }[]
  readonly addresses: Map<string, { type: 'A' | 'AAAA'; addresses: string[]; ttl: number }>
  /** What was asked for, such as `SRV one.maru.test`, in order. */
  readonly asked: string[]
  /** Answers everything with SERVFAIL while true. */
  failing: boolean
  start(): Promise<void>
  stop(): Promise<void>
}

/** RFC 1035, section 4.1.1. */
const serverFailure = 2
const noSuchName = 3

export async function startDnsServer(): Promise<TestDnsServer> {
  const services: TestDnsServer['services'] = []
  const addresses: TestDnsServer['addresses'] = new Map()
  const asked: string[] = []
  let port = 0
  let socket: Socket | undefined

  const answersTo = (name: string, type: string): Answer[] => {
    if (type === 'SRV')
      return services
        .filter((service) => service.name === name)
        .map((one) => ({ type, name, ttl: 0, data: { priority: one.priority ?? 0, weight: 1, port: one.port, target: one.target } }))
    const known = addresses.get(name)
    if (known?.type !== type) return []
    return known.addresses.map((data) => ({ type: known.type, name, ttl: known.ttl, data }))
  }
  const respond = (query: Packet): Buffer => {
    const { name = '', type = '' } = query.questions?.[0] ?? {}
    asked.push(`${type} ${name}`)
    const exists = addresses.has(name) || services.some((service) => service.name === name)
    const code = rig.failing ? serverFailure : exists ? 0 : noSuchName
    return encode({
      type: 'response',
      id: query.id ?? 0,
      // The code of the answer is the lowest four bits of the flags.
      flags: AUTHORITATIVE_ANSWER | code,
      questions: query.questions ?? [],
      answers: code === 0 ? answersTo(name, type) : [],
    })
  }

  const rig: TestDnsServer = {
    get port() {
      return port
    },
    services,
    addresses,
    asked,
    failing: false,
    async start() {
      const opened = createSocket('udp4')
      opened.on('message', (message, from) => opened.send(respond(decode(message)), from.port, from.address))
      opened.bind(port, '127.0.0.1')
      await once(opened, 'listening')
      port = opened.address().port
      socket = opened
    },
    async stop() {
      const closing = socket
      socket = undefined
      if (closing) await new Promise<void>((resolve) => closing.close(() => resolve()))
    },
  }
  await rig.start()
  return rig
}

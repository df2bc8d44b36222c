import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http'
import { createServer as createTcpServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { once } from 'node:events'
import { pino } from 'pino'
import {
  createHttpService,
  openPostgresDiscovery,
  readSettings,
  type Announcement,
  type Discovery,
  type HttpService,
  type Instance,
} from '@maru/service-host'
import { createIssuer, type Issuer } from '../../../../service-host/test/support/tokens.ts'
import { createTestDatabase } from '../../../../test/support/postgres.ts'
import { gatewaySettings } from '../../config.ts'
import { startGateway, type Gateway } from '../../service.ts'

type Service = 'trading' | 'user' | 'market-data' | 'notification' | 'analytics'

/** A gateway in this process on a real registry, and upstream servers made by the test. */
export interface Rig extends AsyncDisposable {
  readonly url: string
  readonly gateway: Gateway
  readonly issuer: Issuer
  /** Serves and announces; resolves once the gateway has heard. */
  serve(service: Service, listener: RequestListener): Promise<Upstream>
  /** The same with a bare TCP server, for answers that are none. */
  serveTcp(service: Service, onSocket: (socket: Socket) => void, capabilities?: readonly string[]): Promise<Upstream>
  /** The same with the host that services have, so by trunks too; `define` serves its contracts. */
  host(service: Service, define: (http: HttpService) => void): Promise<Hosted>
  announce(service: Service, url: string, state?: Instance['state'], capabilities?: readonly string[]): Promise<Announcement>
  health(): Promise<{ service: string; url: string; circuit: string; state: string; pid: number; id: string }[]>
}

export interface Upstream {
  readonly url: string
  readonly server: Server
  /** Closes it and everything open on it; its announcement stays, as after a crash. */
  crash(): Promise<void>
  withdraw(): Promise<void>
}

export interface Hosted extends Upstream {
  readonly http: HttpService
  /** Connections open to it. */
  readonly sockets: ReadonlySet<Socket>
}

export async function openRig(environment: Record<string, string> = {}): Promise<Rig> {
  const logger = pino({ level: 'silent' })
  const database = await createTestDatabase()
  const issuer = createIssuer()
  const opened = new Map<string, Discovery>()
  const discoveryOf = async (service: Service | 'gateway') => {
    const known = opened.get(service) ?? (await openPostgresDiscovery({ connectionString: database.urls[service], logger }))
    opened.set(service, known)
    return known
  }
  const discovery = await discoveryOf('gateway')
  const settings = readSettings({ DATABASE_URL: database.urls.gateway, MARU_PORT: '0', ...environment }, gatewaySettings)
  const gateway = await startGateway({ discovery, verifier: issuer.verifier, logger, settings })
  const servers = new Set<() => Promise<void>>()
  let count = 0

  const health: Rig['health'] = async () =>
    ((await (await fetch(`${gateway.url}/health/services`)).json()) as { items: Awaited<ReturnType<Rig['health']>> }).items
  const announce: Rig['announce'] = async (service, url, state = 'ready', capabilities = []) => {
    const id = `${service}-${++count}`
    const announcement = await (
      await discoveryOf(service)
    ).announce({ id, service, url, pid: process.pid, version: '0.1.0', state, startedAt: new Date().toISOString(), capabilities })
    await until(async () => (await health()).some((instance) => instance.id === id))
    return announcement
  }
  const run = async (service: Service, server: Server, capabilities?: readonly string[]): Promise<Upstream & { sockets: Set<Socket> }> => {
    const sockets = new Set<Socket>()
    server.on('connection', (socket: Socket) => {
      sockets.add(socket)
      socket.on('error', () => undefined).on('close', () => sockets.delete(socket))
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    const crash = async () => {
      servers.delete(crash)
      const closed = new Promise((resolve) => server.close(resolve))
      for (const socket of sockets) socket.destroy()
      await closed
    }
    servers.add(crash)
    const announcement = await announce(service, url, 'ready', capabilities)
    return { url, server, sockets, crash, withdraw: () => announcement.withdraw() }
  }

  return {
    url: gateway.url,
    gateway,
    issuer,
    announce,
    health,
    serve: (service, listener) => run(service, createServer({ keepAliveTimeout: 65_000 }, listener)),
    serveTcp: (service, onSocket, capabilities) => run(service, createTcpServer(onSocket), capabilities),
    async host(service, define) {
      const http = createHttpService({ logger, verifier: issuer.verifier, strictReplies: true })
      define(http)
      await http.app.ready()
      return { ...(await run(service, http.app.server, http.capabilities())), http }
    },
    async [Symbol.asyncDispose]() {
      await gateway.stop()
      for (const crash of servers) await crash()
      for (const one of opened.values()) await one[Symbol.asyncDispose]()
      await database[Symbol.asyncDispose]()
    },
  }
}

/** Waits for a condition, without a fixed pause. */
export async function until(condition: () => Promise<boolean> | boolean): Promise<void> {
  while (!(await condition())) await new Promise((resolve) => setTimeout(resolve, 5))
}

/** Answers with what it was asked, as JSON. */
export async function echo(request: IncomingMessage, response: ServerResponse): Promise<void> {
  let body = ''
  for await (const chunk of request) body += String(chunk)
  const text = JSON.stringify({ method: request.method, url: request.url, headers: request.headers, rawHeaders: request.rawHeaders, body })
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) }).end(text)
}

export interface Echoed {
  method: string
  url: string
  headers: Record<string, string>
  body: string
}

export const echoListener: RequestListener = (request, response) => void echo(request, response)

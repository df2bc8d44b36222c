import { readFile } from 'node:fs/promises'
import type { Endpoint } from '@maru/contracts'
import { allEndpoints, serviceEndpoints } from '@maru/contracts/http/index'
import { buildOpenApi } from '@maru/contracts/openapi'
import {
  createMetricsRegistry,
  listenForScrapes,
  instanceFields,
  loadFields,
  Problem,
  Tracing,
  version,
  type Discovery,
  type Instance,
  type Load,
  type Logger,
  type MetricsRegistry,
  type SelfDescription,
  type TokenVerifier,
} from '@maru/service-host'
import { limitsOf, type GatewaySettings } from './config.ts'
import { AccessRules } from './edge/access.ts'
import { Cors } from './edge/cors.ts'
import { ApiKeys } from './edge/api-keys.ts'
import { Callers } from './edge/callers.ts'
import { Limits } from './edge/limits.ts'
import { Edge } from './front/edge.ts'
import { Front } from './front/front.ts'
import { listen } from './front/listen.ts'
import { LocalRoutes, type Page } from './local-routes.ts'
import { EdgeMeter, exposeGatewayState } from './monitoring/edge-meter.ts'
import { exposeRouting } from './monitoring/routing-metrics.ts'
import { errorsPage } from './pages/errors.ts'
import { Forwarder } from './proxy/forward.ts'
import { Admission } from './routing/admission.ts'
import { Instances } from './routing/instances.ts'
import { trafficOf } from './routing/traffic.ts'

/** The services the platform consists of, beside the gateway. */
export const services = ['trading', 'user', 'market-data', 'notification', 'analytics'] as const

export interface GatewayOptions {
  discovery: Discovery
  verifier: TokenVerifier
  logger: Logger
  tracing?: Tracing
  settings: GatewaySettings
  /** By which the user service knows this gateway; without it there are no API keys. */
  gatewayKey?: Buffer | undefined
  /** What this instance is and how busy, said at `/health/ready`. */
  describe?: () => SelfDescription
  /** Contracts of what is routed to; those of the platform where unset. */
  endpoints?: readonly Endpoint[]
}

export interface Gateway {
  readonly url: string
  /** Where `/metrics` is read: an address of its own, as the gateway's is open to the world. */
  readonly metricsUrl: string
  /** Undefined once every service has a ready instance; else which have none. */
  notReady(): string | undefined
  readonly capabilities: readonly string[]
  /** Requests and streams under way. */
  work(): { inFlight: number; streams: number }
  /** Connections between two requests are kept for `idleGraceMs`, so that a request that is under way to it is answered; 0 where unset. */
  stop(idleGraceMs?: number): Promise<void>
}

/** Requests in flight have this long to finish when the gateway stops. */
const inFlightMaxMs = 3_000
const waitingMax = 1_024

/** Starts the gateway: listens as soon as it can answer, whether the services are there yet or not. */
export async function startGateway(options: GatewayOptions): Promise<Gateway> {
  const { discovery, verifier, logger, settings } = options
  const instances = new Instances({
    discovery,
    logger,
    circuit: { failuresMax: settings.MARU_CIRCUIT_FAILURES, openMs: settings.MARU_CIRCUIT_OPEN_MS },
    upstreamTimeoutMs: settings.MARU_GATEWAY_UPSTREAM_TIMEOUT_MS,
    connectTimeoutMs: 1_000,
    connectionsMax: 256,
    withTrunks: settings.MARU_GATEWAY_TRUNKS === 'yes',
    slowStartMs: settings.MARU_GATEWAY_SLOW_START_MS,
  })
  const stopped = new AbortController()
  const missing = () => services.filter((service) => !instances.hasReady(service))
  const local = new LocalRoutes({
    pages: await pages(),
    data: dataRoutes({ instances, discovery, missing, describe: options.describe, signal: stopped.signal }),
  })
  const meter = new EdgeMeter()
  const limits = new Limits(limitsOf(settings))
  const access = new AccessRules(options.endpoints ?? serviceEndpoints, verifier)
  const keys = new ApiKeys({ discovery, verifier, logger, gatewayKey: options.gatewayKey })
  const bodyMaxBytes = settings.MARU_GATEWAY_BODY_MAX_BYTES
  const inFlightMax = settings.MARU_GATEWAY_IN_FLIGHT_MAX
  const admission = new Admission({ inFlightMax, shareOf: (service) => trafficOf(service).inFlightShare })
  const forwarder = new Forwarder(
    instances,
    admission,
    logger,
    {
      waitMs: settings.MARU_GATEWAY_WAIT_MS,
      waitingMax,
      upstreamTimeoutMs: settings.MARU_GATEWAY_UPSTREAM_TIMEOUT_MS,
    },
    meter,
  )
  const edge = new Edge({
    services: new Set<string>(services),
    forwarder,
    access,
    callers: new Callers({ access, keys, limits }),
    cors: new Cors(settings.MARU_CORS_ORIGINS),
    limits,
    local,
    trustedProxies: settings.MARU_TRUSTED_PROXIES,
    logger,
    meter,
    tracing: options.tracing ?? new Tracing(),
    bounds: {
      bodyMaxBytes,
      inFlightMax,
      streamsMax: settings.MARU_GATEWAY_STREAMS_MAX,
      answerMaxMs: settings.MARU_GATEWAY_UPSTREAM_TIMEOUT_MS,
      compressMinBytes: settings.MARU_GATEWAY_COMPRESS_MIN_BYTES,
    },
  })
  const front = new Front({
    edge,
    instances,
    limits,
    logger,
    parser: settings.MARU_HTTP_PARSER,
    bodyMaxBytes,
    headersTimeoutMs: settings.MARU_GATEWAY_HEADERS_TIMEOUT_MS,
    requestTimeoutMs: settings.MARU_GATEWAY_REQUEST_TIMEOUT_MS,
    upstreamTimeoutMs: settings.MARU_GATEWAY_UPSTREAM_TIMEOUT_MS,
    slowReaderMs: settings.MARU_GATEWAY_SLOW_READER_MS,
    connections: {
      perAddressMax: settings.MARU_GATEWAY_CONNECTIONS_PER_ADDRESS,
      unlimited: [settings.MARU_GATEWAY_CONNECTIONS_UNLIMITED, settings.MARU_TRUSTED_PROXIES],
    },
    meter,
  })
  const metrics: MetricsRegistry = createMetricsRegistry({ service: 'gateway', version })
  meter.expose(metrics)
  exposeGatewayState(metrics, services, {
    load: () => edge.load,
    instances: () =>
      instances.all().map((upstream) => ({ ...upstream.instance, circuit: instances.circuitOf(upstream), inFlight: upstream.inFlight })),
  })
  exposeRouting(metrics, {
    admission,
    budgets: () => forwarder.budgets(),
    balancers: () => instances.balancers(),
    instances: () => instances.all(),
    ejections: instances.ejections,
  })
  const scrapesAt = { host: settings.MARU_METRICS_HOST, port: settings.MARU_METRICS_PORT }
  const scrapes = await listenForScrapes(metrics, scrapesAt).catch((error: NodeJS.ErrnoException) => {
    // Of several gateways, in a rolling deploy too, only one can have the address that is set.
    if (error.code !== 'EADDRINUSE' || settings.MARU_LISTEN_FD === 0) throw error
    logger.warn({ port: scrapesAt.port }, 'another gateway shows its metrics at this port; this one takes a free one')
    return listenForScrapes(metrics, { ...scrapesAt, port: 0 })
  })
  const listening = await listen(front.server, {
    host: settings.MARU_GATEWAY_HOST,
    port: settings.MARU_PORT,
    descriptor: settings.MARU_LISTEN_FD,
  })
  return {
    url: listening.url,
    metricsUrl: scrapes.url,
    capabilities: ['http', 'websocket'],
    work: () => edge.load,
    notReady: () => (missing().length > 0 ? `waiting for ${missing().join(', ')}` : undefined),
    async stop(idleGraceMs = 0) {
      stopped.abort()
      await front.close(listening, inFlightMaxMs, idleGraceMs)
      await instances.close()
      await scrapes[Symbol.asyncDispose]()
    },
  }
}

function dataRoutes(parts: {
  instances: Instances
  discovery: Discovery
  missing: () => string[]
  describe: (() => SelfDescription) | undefined
  signal: AbortSignal
}): Map<string, () => unknown> {
  const { instances, discovery, missing, describe, signal } = parts
  const own = () => (describe ? { instance: describe() } : {})
  const document = buildOpenApi(allEndpoints, { version })
  let gateways: Instance[] = []
  discovery.watch((all) => (gateways = all.filter(({ service }) => service === 'gateway')), signal)
  return new Map<string, () => unknown>([
    ['/health/live', () => ({ status: 'live' })],
    [
      '/health/ready',
      () => {
        const waitingFor = missing()
        if (waitingFor.length === 0) return { status: 'ready', ...own() }
        throw new Problem('unavailable', `Waiting for ${waitingFor.join(', ')}.`, { extensions: { waiting_for: waitingFor, ...own() } })
      },
    ],
    [
      '/health/services',
      () => ({
        items: [
          ...instances
            .all()
            .map((upstream) => status(upstream.instance, discovery.loadOf(upstream.instance.id), instances.circuitOf(upstream))),
          // No gateway routes to another, so there is no circuit to open.
          ...gateways.map((instance) => status(instance, discovery.loadOf(instance.id), 'closed')),
        ].sort((a, b) => (a.service + a.id < b.service + b.id ? -1 : 1)),
        next_cursor: null,
      }),
    ],
    ['/api/openapi.json', () => document],
  ])
}

function status(instance: Instance, load: Load | undefined, circuit: string) {
  const { url, state } = instance
  return { ...instanceFields(instance), url, state, load: load ? loadFields(load) : null, circuit }
}

/** Pages are read once; they are small. */
async function pages(): Promise<Map<string, Page>> {
  const file = (name: string) => readFile(new URL(`pages/${name}`, import.meta.url))
  const html = 'text/html; charset=utf-8'
  return new Map<string, Page>([
    ['/', { contentType: html, body: await file('index.html') }],
    ['/docs', { contentType: html, body: await file('docs.html') }],
    ['/docs/errors', { contentType: html, body: Buffer.from(errorsPage()) }],
    ['/docs/docs.js', { contentType: 'text/javascript; charset=utf-8', body: await file('docs.js') }],
    ['/docs/market.js', { contentType: 'text/javascript; charset=utf-8', body: await file('market.js') }],
    ['/docs/style.css', { contentType: 'text/css; charset=utf-8', body: await file('style.css') }],
  ])
}

import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer, type Server } from 'node:https'
import type { AddressInfo } from 'node:net'
import { loopbackCertificate } from './certificate.ts'

interface Stored {
  metadata: { name: string; namespace: string; labels: Record<string, string>; resourceVersion?: string }
  [field: string]: unknown
}

interface Happened {
  type: 'ADDED' | 'MODIFIED' | 'DELETED'
  version: number
  object: Stored
}

/**
 * The part of the Kubernetes API that discovery speaks, over HTTPS with a bearer token: lists in pages and watches of endpoint slices, with resource versions,
 * bookmarks and 410 Gone, as its reference describes them.
 */
export interface TestKubernetesApi {
  readonly url: string
  readonly token: string
  /** Of the authority that signed the server's, PEM. */
  readonly certificate: string
  /** Lists begun and watches begun, for tests that look at how it is asked. */
  readonly counts: { lists: number; watches: number; bookmarked: number }
  put(object: Stored): void
  remove(namespace: string, name: string): void
  /** Ends all watches, as the server does now and then. */
  endWatches(): void
  /** Forgets what happened so far: who watches from before gets 410. */
  compact(): void
  /** Tells all watches how far they are. */
  bookmark(): void
  /** Tells all watches that their version is too old, within the stream. False where there are none. */
  expireWatches(): boolean
  start(): Promise<void>
  stop(): Promise<void>
}

const path = /^\/apis\/discovery\.k8s\.io\/v1\/namespaces\/([a-z0-9-]+)\/endpointslices$/

export async function startKubernetesApi(options: { pageMax?: number } = {}): Promise<TestKubernetesApi> {
  const token = randomBytes(16).toString('hex')
  const pems = await loopbackCertificate()
  const objects = new Map<string, Stored>()
  let history: Happened[] = []
  let version = 100
  /** What happened up to it is forgotten. */
  let compacted = 0
  const watches = new Set<{ send: (event: object) => void; take: (happened: Happened) => void; end: () => void }>()
  const counts = { lists: 0, watches: 0, bookmarked: 0 }
  let server: Server | undefined
  let port = 0

  const happen = (type: Happened['type'], object: Stored): void => {
    version += 1
    const happened = { type, version, object: { ...object, metadata: { ...object.metadata, resourceVersion: String(version) } } }
    history.push(happened)
    for (const watch of watches) watch.take(happened)
    const key = `${object.metadata.namespace}/${object.metadata.name}`
    if (type === 'DELETED') objects.delete(key)
    else objects.set(key, happened.object)
  }

  const answer = (request: IncomingMessage, response: ServerResponse): void => {
    const url = new URL(request.url ?? '/', 'https://api')
    const namespace = path.exec(url.pathname)?.[1]
    if (request.headers.authorization !== `Bearer ${token}`) return fail(response, 401, 'Unauthorized')
    if (namespace === undefined) return fail(response, 404, 'not found')
    const wanted = selected(url.searchParams.get('labelSelector') ?? '')
    const fits = (object: Stored) => object.metadata.namespace === namespace && wanted(object.metadata.labels)
    if (url.searchParams.get('watch') !== '1') return list(url, response, [...objects.values()].filter(fits))
    watch(url, response, fits)
  }

  const list = (url: URL, response: ServerResponse, found: Stored[]): void => {
    counts.lists += 1
    const from = Number(url.searchParams.get('continue') ?? 0)
    const limit = Math.min(Number(url.searchParams.get('limit') ?? Infinity), options.pageMax ?? Infinity)
    const more = from + limit < found.length ? { continue: String(from + limit) } : {}
    respond(response, 200, {
      kind: 'EndpointSliceList',
      metadata: { resourceVersion: String(version), ...more },
      items: found.slice(from, from + limit),
    })
  }

  const watch = (url: URL, response: ServerResponse, fits: (object: Stored) => boolean): void => {
    counts.watches += 1
    const since = Number(url.searchParams.get('resourceVersion'))
    if (since < compacted) return fail(response, 410, 'too old resource version')
    response.writeHead(200, { 'content-type': 'application/json' })
    response.flushHeaders()
    const send = (event: object) => void response.write(`${JSON.stringify(event)}\n`)
    const take = ({ type, object }: Happened) => fits(object) && send({ type, object })
    for (const happened of history) if (happened.version > since) take(happened)
    const own = {
      send,
      take,
      end() {
        watches.delete(own)
        response.end()
      },
    }
    watches.add(own)
    response.on('close', () => watches.delete(own))
  }

  const api: TestKubernetesApi = {
    get url() {
      return `https://127.0.0.1:${port}`
    },
    token,
    certificate: pems.cert,
    counts,
    put: (object) => happen(objects.has(`${object.metadata.namespace}/${object.metadata.name}`) ? 'MODIFIED' : 'ADDED', object),
    remove(namespace, name) {
      const object = objects.get(`${namespace}/${name}`)
      if (object) happen('DELETED', object)
    },
    endWatches() {
      for (const one of watches) one.end()
    },
    compact() {
      compacted = version
      history = []
    },
    bookmark() {
      counts.bookmarked += watches.size
      for (const { send } of watches)
        send({ type: 'BOOKMARK', object: { kind: 'EndpointSlice', metadata: { resourceVersion: String(version) } } })
    },
    expireWatches() {
      const found = watches.size > 0
      for (const { send, end } of watches) {
        send({
          type: 'ERROR',
          object: { kind: 'Status', status: 'Failure', code: 410, reason: 'Expired', message: 'too old resource version' },
        })
        end()
      }
      return found
    },
    async start() {
      server = createServer({ key: pems.private, cert: pems.cert }, answer)
      server.listen(port, '127.0.0.1')
      await once(server, 'listening')
      port = (server.address() as AddressInfo).port
    },
    async stop() {
      const closing = server
      server = undefined
      if (!closing) return
      const closed = once(closing, 'close')
      closing.close()
      closing.closeAllConnections()
      await closed
    },
  }
  await api.start()
  return api
}

/** A selector of the form `label in (a,b)`, the only one that is asked for. */
function selected(selector: string): (labels: Record<string, string>) => boolean {
  const [, label = '', values = ''] = /^(\S+) in \(([^)]*)\)$/.exec(selector) ?? []
  return (labels) => values.split(',').includes(labels[label] ?? '')
}

function respond(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
}

function fail(response: ServerResponse, code: number, message: string): void {
  respond(response, code, { kind: 'Status', apiVersion: 'v1', status: 'Failure', code, message })
}

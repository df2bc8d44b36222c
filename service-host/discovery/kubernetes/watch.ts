import { setTimeout as sleep } from 'node:timers/promises'
import type { Logger } from '../../logger.ts'
import { ApiError, type KubernetesApi } from './api.ts'

/** What every object of the API has, as far as it is needed here. */
export interface ApiObject {
  metadata: { name: string; resourceVersion: string; labels?: Record<string, string> }
}

interface Page {
  metadata: { resourceVersion: string; continue?: string }
  items: ApiObject[]
}

interface WatchEvent {
  type: string
  object: ApiObject & { code?: number; message?: string }
}

export interface Following {
  api: KubernetesApi
  /** `/apis/discovery.k8s.io/v1/namespaces/maru/endpointslices` */
  path: string
  labelSelector: string
  logger: Logger
  signal: AbortSignal
  /** Called with all objects by name after the first list, and after every change. */
  onChange: (objects: ReadonlyMap<string, ApiObject>) => void
  /** What the API said, or why it said nothing; it is tried again. */
  onFault?: (error: Error) => void
}

const pageMax = 250
const objectsMax = 2_000
const listMs = 10_000
/** The server ends a watch after this; a connection that is dead without a word is noticed a little later. */
const watchSeconds = 60
const watchMs = (watchSeconds + 10) * 1_000
/** More than the largest object that is stored. */
const lineMaxCharacters = 4 * 1_024 * 1_024
const retryMinMs = 100
const retryMaxMs = 5_000

class Expired extends Error {}

/**
 * Lists objects and watches them from there on, as the API is meant to be used: bookmarks and events move the version on, a watch that ends is taken up at the
 * last one, and where that is too old (410 Gone) all is listed anew. So it is after a fault: a server whose store was put back to an earlier state takes a version of
 * its lost future without a word, and then says nothing. While the API is away what is known stays. Runs until `signal` aborts.
 */
export async function follow(following: Following): Promise<void> {
  const { signal, logger } = following
  let objects = new Map<string, ApiObject>()
  let version: string | undefined
  let retryMs = retryMinMs
  /** The fault that was told of last, since all was well. */
  let told: string | undefined
  let openedMs = Infinity
  const beWell = (): void => {
    retryMs = retryMinMs
    told = undefined
  }
  while (!signal.aborted) {
    openedMs = Infinity
    try {
      if (version === undefined) {
        ;({ objects, version } = await list(following))
        following.onChange(objects)
      }
      for await (const { type, object } of events(following, version, () => (openedMs = performance.now()))) {
        version = object.metadata.resourceVersion
        beWell()
        if (!take(objects, type, object)) continue
        following.onChange(objects)
      }
      // It ended as every watch does after its time, or when the server restarts.
      await pause(retryMinMs, signal)
    } catch (error) {
      if (signal.aborted) return
      version = undefined
      const status = error instanceof ApiError ? error.status : undefined
      if (!(error instanceof Expired) && status !== 410) {
        // One that was open for a while did well, however little it had to say.
        if (performance.now() - openedMs > retryMaxMs) beWell()
        following.onFault?.(error as Error)
        const fault = status === undefined ? 'is away' : `answers ${status}`
        if (fault !== told) logger.warn({ err: error }, `discovery: the Kubernetes API ${fault}; going on with what is known`)
        told = fault
        retryMs = Math.min(retryMs * 2, retryMaxMs)
      }
      await pause(retryMs, signal)
    }
  }
}

/** Whether anything has changed. */
function take(objects: Map<string, ApiObject>, type: string, object: ApiObject): boolean {
  switch (type) {
    case 'ADDED':
    case 'MODIFIED':
      if (objects.size >= objectsMax && !objects.has(object.metadata.name)) return false
      objects.set(object.metadata.name, object)
      return true
    case 'DELETED':
      return objects.delete(object.metadata.name)
    default:
      // BOOKMARK, and what a later release may add: only the version moves on.
      return false
  }
}

async function list({ api, path, labelSelector, signal }: Following): Promise<{ objects: Map<string, ApiObject>; version: string }> {
  const objects = new Map<string, ApiObject>()
  for (let next = ''; ;) {
    const query = new URLSearchParams({ labelSelector, limit: String(pageMax), ...(next === '' ? {} : { continue: next }) })
    const page = (await api.get(`${path}?${query.toString()}`, listMs, signal)) as Page
    for (const object of page.items) if (objects.size < objectsMax) objects.set(object.metadata.name, object)
    next = page.metadata.continue ?? ''
    if (next === '') return { objects, version: page.metadata.resourceVersion }
  }
}

async function* events({ api, path, labelSelector, signal }: Following, version: string, onOpen: () => void): AsyncGenerator<WatchEvent> {
  const query = new URLSearchParams({
    watch: '1',
    allowWatchBookmarks: 'true',
    resourceVersion: version,
    timeoutSeconds: String(watchSeconds),
    labelSelector,
  })
  const answer = await api.open(`${path}?${query.toString()}`, AbortSignal.any([signal, AbortSignal.timeout(watchMs)]))
  onOpen()
  answer.setEncoding('utf8')
  let rest = ''
  for await (const chunk of answer) {
    const lines = (rest + String(chunk)).split('\n')
    rest = lines.pop() ?? ''
    if (rest.length > lineMaxCharacters) throw new Error('an event of the API is longer than any object may be')
    for (const line of lines) {
      if (line.trim() === '') continue
      const event = JSON.parse(line) as WatchEvent
      if (event.type === 'ERROR') {
        if (event.object.code === 410) throw new Expired()
        throw new ApiError(event.object.code ?? 0, `the watch failed: ${event.object.message ?? ''}`)
      }
      yield event
    }
  }
}

async function pause(durationMs: number, signal: AbortSignal): Promise<void> {
  await sleep(durationMs, undefined, { signal }).catch(() => undefined)
}

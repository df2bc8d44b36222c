import { discoveryBounds, type Instance, type Load } from './port.ts'
import type { Seen } from './shape.ts'

/** Who is known to live, for those who watch and those who ask; the same behind every kind of discovery. */
export class LiveView {
  #seen: readonly Seen[] = []
  #text = '[]'
  #loads = new Map<string, Load>()
  readonly #watchers = new Set<{ onChange: (instances: Instance[]) => void }>()

  get isWatched(): boolean {
    return this.#watchers.size > 0
  }

  get seen(): readonly Seen[] {
    return this.#seen
  }

  /** Of one service, or of all. */
  of(service?: string): Instance[] {
    const all = this.#seen.map(({ instance }) => instance)
    return service === undefined ? all : all.filter((instance) => instance.service === service)
  }

  loadOf(id: string): Load | undefined {
    return this.#loads.get(id)
  }

  watch(onChange: (instances: Instance[]) => void, signal: AbortSignal): void {
    if (signal.aborted) return
    const watcher = { onChange }
    this.#watchers.add(watcher)
    signal.addEventListener('abort', () => this.#watchers.delete(watcher), { once: true })
    onChange(this.of())
  }

  unwatchAll(): void {
    this.#watchers.clear()
  }

  /** Takes over who lives now. Who watches is called where that differs in more than loads. */
  learn(seen: readonly Seen[]): void {
    const kept = keepKnowable(seen)
    this.#loads = new Map(kept.flatMap(({ instance, load }) => (load ? [[instance.id, load] as const] : [])))
    this.#seen = kept
    const text = JSON.stringify(this.of())
    if (text === this.#text) return
    this.#text = text
    for (const { onChange } of this.#watchers) onChange(this.of())
  }
}

/**
 * In order of service and id. Of those with one id, or one address, the one that started last: a process that took over the port of a killed one is
 * not seen beside it. Of each service as many as may be seen.
 */
function keepKnowable(seen: readonly Seen[]): Seen[] {
  const byAge = [...seen].sort((a, b) => compare(a.instance.startedAt, b.instance.startedAt) || compare(a.instance.id, b.instance.id))
  const ids = new Set<string>()
  const urls = new Set<string>()
  const single = byAge
    .reverse()
    .filter(({ instance: { id, url } }) => {
      if (ids.has(id) || urls.has(url)) return false
      ids.add(id)
      urls.add(url)
      return true
    })
    .reverse()
  const counts = new Map<string, number>()
  return single
    .filter(({ instance: { service } }) => {
      const count = (counts.get(service) ?? 0) + 1
      counts.set(service, count)
      return count <= discoveryBounds.instancesMax
    })
    .sort((a, b) => compare(a.instance.service, b.instance.service) || compare(a.instance.id, b.instance.id))
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}

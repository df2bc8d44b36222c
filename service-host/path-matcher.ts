/** Matches paths against patterns such as `/orders/:id`, for what lies outside the HTTP router: sockets, 405, the gateway's edge. */
export interface PathMatch<T> {
  value: T
  params: Record<string, string>
}

interface Entry<T> {
  segments: string[]
  value: T
}

/** Patterns with fewer parameters win, so `/orders/open` is found before `/orders/:id`; then the one added first. */
export class PathMatcher<T> {
  readonly #exact = new Map<string, T[]>()
  readonly #byLength = new Map<number, Entry<T>[]>()

  add(pattern: string, value: T): void {
    const trimmed = trimSlash(pattern)
    if (!trimmed.includes(':')) {
      this.#exact.set(trimmed, [...(this.#exact.get(trimmed) ?? []), value])
      return
    }
    const segments = trimmed.split('/')
    const entries = [...(this.#byLength.get(segments.length) ?? []), { segments, value }]
    const parameters = (entry: Entry<T>) => entry.segments.filter((segment) => segment.startsWith(':')).length
    this.#byLength.set(
      segments.length,
      entries.sort((a, b) => parameters(a) - parameters(b)),
    )
  }

  /** `path` as it came, without the query; parameters are percent-decoded. Empty where nothing matches or the path is no valid text. */
  matchAll(path: string): PathMatch<T>[] {
    const trimmed = trimSlash(path)
    const exact = this.#exact.get(trimmed)
    const found: PathMatch<T>[] = exact ? exact.map((value) => ({ value, params: {} })) : []
    const segments = trimmed.split('/')
    for (const entry of this.#byLength.get(segments.length) ?? []) {
      const params = matchSegments(entry.segments, segments)
      if (params) found.push({ value: entry.value, params })
    }
    return found
  }

  match(path: string): PathMatch<T> | undefined {
    return this.matchAll(path)[0]
  }
}

function trimSlash(path: string): string {
  return path.length > 1 && path.endsWith('/') ? path.slice(0, -1) : path
}

function matchSegments(pattern: string[], segments: string[]): Record<string, string> | undefined {
  const params: Record<string, string> = {}
  for (const [index, expected] of pattern.entries()) {
    const segment = segments[index] as string
    if (!expected.startsWith(':')) {
      if (segment !== expected) return undefined
      continue
    }
    if (segment === '') return undefined
    try {
      params[expected.slice(1)] = decodeURIComponent(segment)
    } catch {
      // A broken percent escape matches nothing.
      return undefined
    }
  }
  return params
}

/** What falls due at a moment. */
export const TimerKind = { orderExpiry: 0, deadMan: 1, market: 2, sweep: 3 } as const
export type TimerKind = (typeof TimerKind)[keyof typeof TimerKind]

export interface Timer {
  readonly dueMs: number
  readonly kind: TimerKind
  /** The order, account or market; 0 of a sweep. */
  readonly subject: number
}

/**
 * What is due when: a heap in the order of time, then kind, then subject, which is total, so it gives the same order however it was filled. One that
 * is no longer wanted stays until it is due; whoever takes it looks whether it still holds. It is no part of a snapshot: what is due follows from the state.
 */
export class Timers {
  /** When the first is due; infinity where there is none. */
  nextMs = Number.POSITIVE_INFINITY
  readonly #heap: Timer[] = []

  get size(): number {
    return this.#heap.length
  }

  add(timer: Timer): void {
    const heap = this.#heap
    heap.push(timer)
    let at = heap.length - 1
    while (at > 0) {
      const above = (at - 1) >> 1
      if (isBefore(heap[above]!, timer)) break
      heap[at] = heap[above]!
      at = above
    }
    heap[at] = timer
    this.nextMs = heap[0]!.dueMs
  }

  /** Forgets those that are no longer wanted. The others keep their order, which is that of their terms. */
  prune(isWanted: (timer: Timer) => boolean): void {
    const wanted = this.#heap.filter(isWanted)
    this.#heap.length = 0
    this.nextMs = Number.POSITIVE_INFINITY
    for (const timer of wanted) this.add(timer)
  }

  /** Takes the first that is due by `nowMs`; undefined where none is. */
  takeDue(nowMs: number): Timer | undefined {
    if (this.nextMs > nowMs) return undefined
    const heap = this.#heap
    const first = heap[0]!
    const last = heap.pop()!
    if (heap.length > 0) this.#sink(last)
    this.nextMs = heap[0]?.dueMs ?? Number.POSITIVE_INFINITY
    return first
  }

  #sink(timer: Timer): void {
    const heap = this.#heap
    let at = 0
    for (;;) {
      let below = at * 2 + 1
      if (below >= heap.length) break
      if (below + 1 < heap.length && isBefore(heap[below + 1]!, heap[below]!)) below += 1
      if (isBefore(timer, heap[below]!)) break
      heap[at] = heap[below]!
      at = below
    }
    heap[at] = timer
  }
}

function isBefore(a: Timer, b: Timer): boolean {
  if (a.dueMs !== b.dueMs) return a.dueMs < b.dueMs
  if (a.kind !== b.kind) return a.kind < b.kind
  return a.subject < b.subject
}

import { Side } from '@maru/contracts/commands'
import type { TrailGroup } from './trailing.ts'

/** The stop price at which the nearest order of a group's queue stands, when this was noted. */
interface Head {
  readonly stop: number
  /** Number of that order. */
  readonly order: number
  readonly group: TrailGroup
  /** Which of the queues of the group: place `TrailingUnit`. */
  readonly unit: number
}

/** Stale notes are let be until there are more of them than this and than others. */
const staleMin = 64

/**
 * Which trailing stop of one side a price reaches first: a heap of the nearest order of each queue, nearest stop price first, then oldest. Whatever changes a queue
 * notes its nearest order anew; what is stale by then is told by comparing, and left out when it comes up. So a price that reaches none of many groups, or each
 * of them one after another, looks at no more than it wakes.
 */
export class TrailHeads {
  readonly #sign: 1 | -1
  readonly #isCurrent: (head: Head) => boolean
  #heap: Head[] = []
  #compactAt = staleMin

  constructor(side: Side, isCurrent: (head: Head) => boolean) {
    this.#sign = side === Side.sell ? 1 : -1
    this.#isCurrent = isCurrent
  }

  note(head: Head): void {
    if (this.#heap.length >= this.#compactAt) this.#compact()
    const heap = this.#heap
    let at = heap.push(head) - 1
    while (at > 0) {
      const above = (at - 1) >> 1
      if (!this.#isBefore(head, heap[above]!)) break
      heap[at] = heap[above]!
      at = above
    }
    heap[at] = head
  }

  /** The nearest that stands; undefined where none does. */
  nearest(): Head | undefined {
    for (let first = this.#heap[0]; first; first = this.#heap[0]) {
      if (this.#isCurrent(first)) return first
      this.#dropFirst()
    }
    return undefined
  }

  #isBefore(a: Head, b: Head): boolean {
    return a.stop === b.stop ? a.order < b.order : (a.stop - b.stop) * this.#sign > 0
  }

  #dropFirst(): void {
    const heap = this.#heap
    const last = heap.pop()!
    if (heap.length > 0) this.#sink(last, 0)
  }

  #sink(head: Head, from: number): void {
    const heap = this.#heap
    let at = from
    for (;;) {
      let below = at * 2 + 1
      if (below >= heap.length) break
      if (below + 1 < heap.length && this.#isBefore(heap[below + 1]!, heap[below]!)) below += 1
      if (!this.#isBefore(heap[below]!, head)) break
      heap[at] = heap[below]!
      at = below
    }
    heap[at] = head
  }

  #compact(): void {
    this.#heap = this.#heap.filter(this.#isCurrent)
    for (let at = (this.#heap.length >> 1) - 1; at >= 0; at--) this.#sink(this.#heap[at]!, at)
    this.#compactAt = Math.max(staleMin, this.#heap.length * 2)
  }
}

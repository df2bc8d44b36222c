import { doubleTable, grownDoubles } from './growth.ts'

/** What the last command did: events one after another, laid out as `outcome.ts` says, in the first `length` numbers of `data`. */
export interface Outcome {
  readonly data: Float64Array
  readonly length: number
}

/** The outcome as it is being written. Reused by every command, so that writing allocates nothing once it is large enough. */
export class OutcomeWriter implements Outcome {
  data = doubleTable(4_096)
  length = 0

  /**
   * Begins an event and makes room for it. The caller writes its fields from the returned index on.
   * @param size how many fields follow
   */
  begin(kind: number, size: number): number {
    const at = this.length
    const end = at + size + 2
    if (end > this.data.length) this.#grow(end)
    this.data[at] = kind
    this.data[at + 1] = size + 2
    this.length = end
    return at + 2
  }

  #grow(needed: number): void {
    this.data = grownDoubles(this.data, Math.max(this.data.length * 2, needed))
  }
}

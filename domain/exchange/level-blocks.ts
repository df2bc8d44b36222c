import { grownDoubles, grownInts } from './growth.ts'

export const blockBits = 5
/** Levels in one block. Larger blocks shift more, smaller ones make the list of blocks longer. */
export const blockSize = 1 << blockBits

/** Blocks of sorted levels of all books in common arrays: how many levels a block has, then 32 places each of keys and levels. */
export class LevelBlocks {
  counts = new Int32Array(64)
  keys = new Float64Array(64 * blockSize)
  levels = new Int32Array(64 * blockSize)
  #used = 0
  readonly #free: number[] = []

  /** An empty block. The arrays may be others afterwards. */
  take(): number {
    const block = this.#free.pop() ?? this.#used++
    if (block === this.counts.length) {
      this.counts = grownInts(this.counts, block * 2)
      this.keys = grownDoubles(this.keys, block * 2 * blockSize)
      this.levels = grownInts(this.levels, block * 2 * blockSize)
    }
    this.counts[block] = 0
    return block
  }

  release(block: number): void {
    this.#free.push(block)
  }

  /** Copies `count` keys and levels from one place to another. */
  move(from: number, to: number, count: number): void {
    this.keys.copyWithin(to, from, from + count)
    this.levels.copyWithin(to, from, from + count)
  }
}

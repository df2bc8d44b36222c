import { grownInts, intTable } from './growth.ts'
import { none as noSlot } from './no-slot.ts'

/** A constant of this module is folded into the machine code; an imported one is looked up at each use. */
const none: number = noSlot

/** Bits of a word, a bit a key or a block. */
const wordMask = 31
/** A block is 512 keys: 16 words of 32 bits. */
const blockBits = 9
const blockMask = (1 << blockBits) - 1
const wordBits = blockBits - 5
const wordOfBlockMask = (1 << wordBits) - 1
/** A tree is 64 blocks, which two words say are there or not. */
const rootBits = 6
const rootMask = (1 << rootBits) - 1
/** A tree holds so many keys. */
export const spanOfTree = 1 << (blockBits + rootBits)

/** The highest bit of a word that has one. */
function highest(word: number): number {
  return 31 - Math.clz32(word)
}

/** The bits below one of a word. */
function below(word: number, bit: number): number {
  return word & ((1 << bit) - 1)
}

/**
 * Trees of price levels, those of all books in common arrays. A tree holds levels by key, whole numbers below 2^15: a root of 64 blocks of 512 keys each.
 * A block has a bit for each key, and one integer that says which of its words have any; a root has a bit for each block. So finding, adding and removing a
 * level compares nothing and moves nothing, and the next one is a count of zero bits away. The bits lie side by side and apart from the levels: those of a
 * book of a thousand levels far from each other are a few kilobytes that all its orders share, and taking a level away needs nothing else.
 *
 * A place is `block × 512 + the low bits of the key`, and is good as long as its level is there. A block takes 2 KB for as long as it has a level; there is
 * room for four million of them.
 */
export class LevelTree {
  /** By place, a bit each: whether there is a level. */
  #words = intTable(64 << wordBits)
  /** By place: the level. What it has of others is stale. */
  #levels = intTable(64 << blockBits)
  /** By block: which of its words have a bit. Of a free one the next free one. */
  #summaries = intTable(64)
  /** By block: its place in its root, `root × 64 + the high bits of the key`. */
  #above = intTable(64)
  #blocksUsed = 0
  #freeBlock: number = none
  /** By root, 64 each: its blocks. What it has of others is stale. */
  #blocks = intTable(32 << rootBits)
  /** By root, two words: which blocks are there. Of a free one the next free one. */
  #present = intTable(64)
  #rootsUsed = 0
  #freeRoot: number = none

  /** An empty tree: the number of its root. */
  take(): number {
    let root = this.#freeRoot
    if (root !== none) this.#freeRoot = this.#present[root << 1]!
    else {
      root = this.#rootsUsed
      if (root << 1 === this.#present.length) this.#growRoots()
      this.#rootsUsed += 1
    }
    this.#present[root << 1] = 0
    this.#present[(root << 1) | 1] = 0
    return root
  }

  /** Gives a tree back that is empty. */
  release(root: number): void {
    this.#present[root << 1] = this.#freeRoot
    this.#freeRoot = root
  }

  /** The place of a key, in a block that is made where there is none. */
  placeFor(root: number, key: number): number {
    const at = (root << rootBits) | (key >> blockBits)
    const isThere = ((this.#present[at >> 5]! >>> (at & wordMask)) & 1) !== 0
    return ((isThere ? this.#blocks[at]! : this.#addBlock(at)) << blockBits) | (key & blockMask)
  }

  /** The level at a place, or -1. */
  levelAt(place: number): number {
    return ((this.#words[place >>> 5]! >>> (place & wordMask)) & 1) === 0 ? none : this.#levels[place]!
  }

  put(place: number, level: number): void {
    const block = place >>> blockBits
    this.#levels[place] = level
    this.#words[place >>> 5] = this.#words[place >>> 5]! | (1 << (place & wordMask))
    this.#summaries[block] = this.#summaries[block]! | (1 << ((place >>> 5) & wordOfBlockMask))
  }

  /** Takes a level away. True where the tree is empty then: its root is the caller's to release. */
  remove(place: number): boolean {
    const left = this.#words[place >>> 5]! & ~(1 << (place & wordMask))
    this.#words[place >>> 5] = left
    // 1 where the word has no bit left: a branch would be guessed wrong half of the time.
    const isEmpty = ((left | -left) >>> 31) ^ 1
    const block = place >>> blockBits
    const words = this.#summaries[block]! & ~(isEmpty << ((place >>> 5) & wordOfBlockMask))
    this.#summaries[block] = words
    return words === 0 && this.#dropBlock(block)
  }

  /** The level with the greatest key of those below a place, or -1. */
  below(place: number): number {
    const bits = below(this.#words[place >>> 5]!, place & wordMask)
    if (bits !== 0) return this.#levels[(place & ~wordMask) | highest(bits)]!
    const block = place >>> blockBits
    const words = below(this.#summaries[block]!, (place >>> 5) & wordOfBlockMask)
    if (words !== 0) return this.#greatestInWord((block << wordBits) | highest(words))
    const above = this.#above[block]!
    const word = above >> 5
    const blocks = below(this.#present[word]!, above & wordMask)
    if (blocks !== 0) return this.#greatestInBlocks(word, blocks)
    const lower = (word & 1) === 0 ? 0 : this.#present[word - 1]!
    return lower === 0 ? none : this.#greatestInBlocks(word - 1, lower)
  }

  /** The level with the greatest key of a tree that has one. */
  greatest(root: number): number {
    const upper = (root << 1) | 1
    const blocks = this.#present[upper]!
    return blocks === 0 ? this.#greatestInBlocks(upper - 1, this.#present[upper - 1]!) : this.#greatestInBlocks(upper, blocks)
  }

  // ---- for reading ahead only: where a block or a level is not there, what is read is another's -----------------------

  likelyPlace(root: number, key: number): number {
    return (this.#blocks[(root << rootBits) | ((key >> blockBits) & rootMask)]! << blockBits) | (key & blockMask)
  }
  /** Reads what putting a level at a place needs. */
  lookAtPlace(place: number): number {
    return this.#words[place >>> 5]! + this.#levels[place]!
  }
  /** Reads what removing the level at a place needs. */
  lookAtWord(place: number): number {
    return this.#words[place >>> 5]!
  }

  /** Of blocks that a word of a root says are there. */
  #greatestInBlocks(word: number, blocks: number): number {
    const block = this.#blocks[(word << 5) | highest(blocks)]!
    return this.#greatestInWord((block << wordBits) | highest(this.#summaries[block]!))
  }

  #greatestInWord(word: number): number {
    return this.#levels[(word << 5) | highest(this.#words[word]!)]!
  }

  /** A block without a level; the words of a free one are all zero. */
  #addBlock(at: number): number {
    let block = this.#freeBlock
    if (block !== none) this.#freeBlock = this.#summaries[block]!
    else {
      block = this.#blocksUsed
      if (block === this.#summaries.length) this.#growBlocks()
      this.#blocksUsed += 1
    }
    this.#summaries[block] = 0
    this.#above[block] = at
    this.#blocks[at] = block
    this.#present[at >> 5] = this.#present[at >> 5]! | (1 << (at & wordMask))
    return block
  }

  /** Takes an empty block away. True where it was the last of its tree. */
  #dropBlock(block: number): boolean {
    const above = this.#above[block]!
    this.#summaries[block] = this.#freeBlock
    this.#freeBlock = block
    const word = above >> 5
    this.#present[word] = this.#present[word]! & ~(1 << (above & wordMask))
    return (this.#present[word]! | this.#present[word ^ 1]!) === 0
  }

  #growBlocks(): void {
    const blocks = this.#summaries.length * 2
    this.#words = grownInts(this.#words, blocks << wordBits)
    this.#levels = grownInts(this.#levels, blocks << blockBits)
    this.#summaries = grownInts(this.#summaries, blocks)
    this.#above = grownInts(this.#above, blocks)
  }

  #growRoots(): void {
    const roots = this.#present.length
    this.#blocks = grownInts(this.#blocks, roots << rootBits)
    this.#present = grownInts(this.#present, roots << 1)
  }
}

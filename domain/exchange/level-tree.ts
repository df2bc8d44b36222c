import { grownInts, intTable } from './growth.ts'
import { none as noSlot } from './no-slot.ts'

/** A constant of this module is folded into the machine code; an imported one is looked up at each use. */
const none: number = noSlot

/** A node has 2^5 children, one a bit of a 32-bit integer. */
const fanBits = 5
const fan = 1 << fanBits
const fanMask = fan - 1
/** Root, middle and leaf: a tree holds so many keys. */
export const spanOfTree = 1 << (3 * fanBits)

/**
 * Trees of price levels, those of all books in common arrays. A tree holds levels by key, whole numbers below 2^15: a root of 32 middle nodes of 32 leaves
 * of 32 levels. Each node says in one integer which of its children are there, so that finding, adding and removing a level compares nothing
 * and moves nothing, and the next one is a count of zero bits away. The integers lie side by side and apart from the children: most questions
 * are answered by a few cache lines that all orders share.
 *
 * A place is `leaf × 32 + the low bits of the key`, and is good as long as its level is there.
 */
export class LevelTree {
  /** By node, a power of two of them: which children are there. What `#children` has of others is stale. */
  #present = intTable(64)
  /** By node, 32 each: middle nodes, leaves or levels. */
  #children = intTable(64 << fanBits)
  /** By node, but for roots: its place in the node above it; of a free node the next free one. */
  #above = intTable(64)
  #used = 0
  #firstFree: number = none

  /** An empty tree: the number of its root. */
  take(): number {
    let node = this.#firstFree
    if (node !== none) this.#firstFree = this.#above[node]!
    else {
      node = this.#used
      if (node === this.#present.length) this.#grow()
      this.#used += 1
    }
    this.#present[node] = 0
    return node
  }

  /** Gives a node back that has no children. */
  release(node: number): void {
    this.#above[node] = this.#firstFree
    this.#firstFree = node
  }

  /** The leaf that a key belongs to, made where there is none. */
  leafFor(root: number, key: number): number {
    return this.#childFor(this.#childFor(root, key >> (2 * fanBits)), (key >> fanBits) & fanMask)
  }

  /** The child at a place of a node that is there (of a leaf a level), or -1. */
  childAt(place: number): number {
    return ((this.#present[place >> fanBits]! >>> (place & fanMask)) & 1) === 0 ? none : this.#children[place]!
  }

  put(place: number, level: number): void {
    this.#children[place] = level
    this.#present[place >> fanBits] = this.#present[place >> fanBits]! | (1 << (place & fanMask))
  }

  /** Takes a level away, and what nodes are empty then. True where the tree is empty: its root is the caller's to release. */
  remove(place: number): boolean {
    const present = this.#present
    const leaf = place >> fanBits
    const left = present[leaf]! & ~(1 << (place & fanMask))
    present[leaf] = left
    return left === 0 && this.#dropNode(leaf)
  }

  /** The level with the greatest key of those below a place, or -1. */
  below(place: number): number {
    let at = place
    for (let height = 0; height < 3; height++) {
      const left = this.#present[at >> fanBits]! & ((1 << (at & fanMask)) - 1)
      if (left !== 0) return this.#greatest((at & ~fanMask) | (31 - Math.clz32(left)), height)
      if (height < 2) at = this.#above[at >> fanBits]!
    }
    return none
  }

  /** The level with the greatest key of a tree that has one. */
  greatest(root: number): number {
    return this.#greatest((root << fanBits) | (31 - Math.clz32(this.#present[root]!)), 2)
  }

  // ---- for reading ahead only: where a node or a level is not there, what is read is another's ------------------------

  likelyMiddle(root: number, key: number): number {
    return this.#children[(root << fanBits) | (key >> (2 * fanBits))]! & (this.#present.length - 1)
  }
  likelyLeaf(middle: number, key: number): number {
    return this.#children[(middle << fanBits) | ((key >> fanBits) & fanMask)]! & (this.#present.length - 1)
  }
  /** Reads what putting a level in a leaf needs. */
  lookAtKey(leaf: number, key: number): number {
    return this.#present[leaf]! + this.#children[(leaf << fanBits) | (key & fanMask)]!
  }
  /** Reads what removing the level at a place needs. */
  lookAtLeaf(place: number): number {
    return this.#present[place >> fanBits]! + this.#above[place >> fanBits]!
  }

  /** Goes down from the child at a place, so many nodes above the levels, always by the last child. */
  #greatest(place: number, height: number): number {
    let child = this.#children[place]!
    for (let left = height; left > 0; left--) child = this.#children[(child << fanBits) | (31 - Math.clz32(this.#present[child]!))]!
    return child
  }

  #childFor(node: number, index: number): number {
    const place = (node << fanBits) | index
    return ((this.#present[node]! >>> index) & 1) === 0 ? this.#addNode(place) : this.#children[place]!
  }

  #addNode(place: number): number {
    const node = this.take()
    this.#above[node] = place
    this.put(place, node)
    return node
  }

  /** Takes an empty leaf away, and its middle node if that is empty then. */
  #dropNode(leaf: number): boolean {
    const aboveLeaf = this.#above[leaf]!
    this.release(leaf)
    const middle = aboveLeaf >> fanBits
    this.#present[middle] = this.#present[middle]! & ~(1 << (aboveLeaf & fanMask))
    if (this.#present[middle] !== 0) return false
    const aboveMiddle = this.#above[middle]!
    this.release(middle)
    const root = aboveMiddle >> fanBits
    this.#present[root] = this.#present[root]! & ~(1 << (aboveMiddle & fanMask))
    return this.#present[root] === 0
  }

  #grow(): void {
    const nodes = this.#present.length * 2
    this.#present = grownInts(this.#present, nodes)
    this.#children = grownInts(this.#children, nodes << fanBits)
    this.#above = grownInts(this.#above, nodes)
  }
}

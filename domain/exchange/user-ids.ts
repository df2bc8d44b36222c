import { SnapshotError } from './bytes.ts'
import { grownInts, intTable, roomFor } from './growth.ts'
import { none } from './no-slot.ts'
import { hashOf, Texts, type PackedTexts } from './texts.ts'

const roomAtFirst = 512

/** User ids by the number of their account, and the account of a user id. */
export class UserIds {
  /** By account. */
  readonly texts = new Texts()
  /** By account: the hash of its user id. */
  #hashes = intTable(roomAtFirst)
  /** Account + 1 by hash, with linear probing; at most half full. */
  #table = intTable(roomAtFirst * 2)
  #mask = roomAtFirst * 2 - 1
  #count = 0

  get(account: number): string {
    return this.texts.get(account)
  }

  /** The account, or -1. */
  find(userId: string): number {
    const hash = hashOf(0, userId)
    for (let at = hash & this.#mask; ; at = (at + 1) & this.#mask) {
      const account = this.#table[at]! - 1
      if (account === none) return none
      if (this.#hashes[account] === hash && this.texts.get(account) === userId) return account
    }
  }

  /** Adds one that is not there, of the next account. */
  add(userId: string): void {
    if (this.#count === this.#hashes.length) this.#widen(this.#count * 2)
    this.texts.set(this.#count, userId)
    this.#put(hashOf(0, userId))
  }

  /** Takes all those of a snapshot. Throws SnapshotError where two are alike. */
  restore(packed: PackedTexts): void {
    this.texts.restore(packed)
    this.#widen(roomFor(packed.count, roomAtFirst))
    for (let account = 0; account < packed.count; account++) {
      const hash = packed.hash(0, account)
      for (let at = hash & this.#mask; this.#table[at] !== 0; at = (at + 1) & this.#mask) {
        const other = this.#table[at]! - 1
        if (this.#hashes[other] === hash && packed.areAlike(other, account)) throw new SnapshotError('the snapshot has a user twice')
      }
      this.#put(hash)
    }
  }

  /** Lets the next account be found by a hash. */
  #put(hash: number): void {
    this.#hashes[this.#count] = hash
    this.#count += 1
    this.#place(hash, this.#count)
  }

  #place(hash: number, entry: number): void {
    let at = hash & this.#mask
    while (this.#table[at] !== 0) at = (at + 1) & this.#mask
    this.#table[at] = entry
  }

  #widen(room: number): void {
    this.#hashes = grownInts(this.#hashes, room)
    this.#table = intTable(room * 2)
    this.#mask = room * 2 - 1
    for (let account = 0; account < this.#count; account++) this.#place(this.#hashes[account]!, account + 1)
  }
}

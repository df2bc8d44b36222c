import { recordBuffer } from './growth.ts'

/**
 * Finds the slot of an open order by its id: open addressing with linear probing; removal closes the gap, so that probes stay short for ever.
 * An entry is 16 bytes: the id as a double, slot + 1 as an integer.
 */
export class OrderIndex {
  #ids: Float64Array
  #slots: Int32Array
  #mask = 4_095
  /** 32 less the bits of the number of fours. */
  #shift = 22
  #count = 0

  constructor() {
    const { doubles, ints } = recordBuffer(this.#mask + 1, 16)
    this.#ids = doubles
    this.#slots = ints
  }

  /** The slot of an order, or -1. */
  find(id: number): number {
    const ids = this.#ids
    const slots = this.#slots
    const mask = this.#mask
    for (let place = homeOf(id, this.#shift); ; place = (place + 1) & mask) {
      const slot = slots[place * 4 + 2]!
      if (slot === 0) return -1
      if (ids[place * 2] === id) return slot - 1
    }
  }

  add(id: number, slot: number): void {
    if (this.#count * 2 > this.#mask) this.#grow()
    this.#put(id, slot + 1)
    this.#count += 1
  }

  /** Removes an id that is in it. */
  remove(id: number): void {
    const ids = this.#ids
    const slots = this.#slots
    const mask = this.#mask
    const shift = this.#shift
    let gap = homeOf(id, shift)
    while (ids[gap * 2] !== id) gap = (gap + 1) & mask
    // Entries after the gap that belong at or before it move into it.
    for (let place = (gap + 1) & mask; slots[place * 4 + 2] !== 0; place = (place + 1) & mask) {
      const home = homeOf(ids[place * 2]!, shift)
      if (((place - home) & mask) < ((place - gap) & mask)) continue
      ids[gap * 2] = ids[place * 2]!
      slots[gap * 4 + 2] = slots[place * 4 + 2]!
      gap = place
    }
    ids[gap * 2] = 0
    slots[gap * 4 + 2] = 0
    this.#count -= 1
  }

  #put(id: number, value: number): void {
    let place = homeOf(id, this.#shift)
    while (this.#slots[place * 4 + 2] !== 0) place = (place + 1) & this.#mask
    this.#ids[place * 2] = id
    this.#slots[place * 4 + 2] = value
  }

  #grow(): void {
    const oldIds = this.#ids
    const oldSlots = this.#slots
    const { doubles, ints } = recordBuffer(oldIds.length, 16)
    this.#ids = doubles
    this.#slots = ints
    this.#mask = this.#mask * 2 + 1
    this.#shift -= 1
    for (let place = 0; place < oldIds.length / 2; place++) {
      const value = oldSlots[place * 4 + 2]!
      if (value !== 0) this.#put(oldIds[place * 2]!, value)
    }
  }
}

/** 2^32 over the golden ratio: consecutive numbers land far apart, so that long runs of neighbours never form. */
const spread = 0x9e3779b1

/** Where an id belongs: four consecutive ids side by side in one cache line, the fours spread over the table. */
function homeOf(id: number, shift: number): number {
  return ((Math.imul(id >>> 2, spread) >>> shift) << 2) | (id & 3)
}

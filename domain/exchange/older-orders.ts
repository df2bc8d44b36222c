import { intTable } from './growth.ts'
import { none } from './no-slot.ts'

/**
 * Finds the slot of an order by its id: open addressing with linear probing; removal closes the gap, so that probes stay short for ever. An
 * entry is the low half of the id and slot + 1. Whole ids are in the orders' records, which are handed in where two halves may be alike.
 */
export class OlderOrders {
  #entries = intTable(4_096 * 2)
  #mask = 4_095
  /** 32 less the bits of the number of fours. */
  #shift = 22
  #count = 0

  /** The slot of an order, or -1. @param records records of 8 doubles, the id first */
  find(id: number, records: Float64Array): number {
    const entries = this.#entries
    const mask = this.#mask
    const low = id | 0
    for (let place = homeOf(low, this.#shift); ; place = (place + 1) & mask) {
      const slot = entries[(place << 1) | 1]! - 1
      if (slot === none) return none
      if (entries[place << 1] === low && records[slot << 3] === id) return slot
    }
  }

  add(id: number, slot: number): void {
    if (this.#count * 2 > this.#mask) this.#grow()
    this.#put(id | 0, slot + 1)
    this.#count += 1
  }

  /** Removes an order that is in it. */
  remove(id: number, slot: number): void {
    const entries = this.#entries
    const mask = this.#mask
    const shift = this.#shift
    let gap = homeOf(id | 0, shift)
    while (entries[(gap << 1) | 1] !== slot + 1) gap = (gap + 1) & mask
    // Entries after the gap that belong at or before it move into it.
    for (let place = (gap + 1) & mask; entries[(place << 1) | 1] !== 0; place = (place + 1) & mask) {
      const home = homeOf(entries[place << 1]!, shift)
      if (((place - home) & mask) < ((place - gap) & mask)) continue
      entries[gap << 1] = entries[place << 1]!
      entries[(gap << 1) | 1] = entries[(place << 1) | 1]!
      gap = place
    }
    entries[(gap << 1) | 1] = 0
    this.#count -= 1
  }

  #put(low: number, value: number): void {
    const entries = this.#entries
    let place = homeOf(low, this.#shift)
    while (entries[(place << 1) | 1] !== 0) place = (place + 1) & this.#mask
    entries[place << 1] = low
    entries[(place << 1) | 1] = value
  }

  #grow(): void {
    const old = this.#entries
    this.#entries = intTable(old.length * 2)
    this.#mask = this.#mask * 2 + 1
    this.#shift -= 1
    for (let at = 0; at < old.length; at += 2) {
      const value = old[at + 1]!
      if (value !== 0) this.#put(old[at]!, value)
    }
  }
}

/** 2^32 over the golden ratio: consecutive numbers land far apart, so that long runs of neighbours never form. */
const spread = 0x9e3779b1

/** Where an id belongs: four consecutive ids side by side, the fours spread over the table. */
function homeOf(low: number, shift: number): number {
  return ((Math.imul(low >>> 2, spread) >>> shift) << 2) | (low & 3)
}

/** Ids one generation takes in before the next begins. */
const idsPerGeneration = 1 << 20
/** 16 bits an id: about one in a thousand is taken for one that was forgotten. */
const intsPerGeneration = (idsPerGeneration * 16) / 32
/** Ints of a block: all bits of an id lie in one cache line. */
const blockInts = 16
const bitsPerId = 6

/**
 * Which ids were once remembered and are not any more, as far as that can be told in two bytes each (blocked Bloom filters, one for each million): "no" is
 * certain, "perhaps" must be looked up. It is no part of the state, since no outcome depends on it: it tells whoever takes requests which ids to look up
 * before they become commands.
 */
export class ForgottenIds {
  #generations: Int32Array[] = []
  #inNewest = 0
  /** Whether every id that was forgotten is in it. Where it is not, every id is perhaps one. */
  isComplete = true

  get isEmpty(): boolean {
    return this.isComplete && this.#generations.length === 0
  }

  /** @param hash 32 bits, evenly spread */
  add(hash: number): void {
    if (this.#generations.length === 0 || this.#inNewest === idsPerGeneration) {
      this.#generations.push(new Int32Array(intsPerGeneration))
      this.#inNewest = 0
    }
    this.#inNewest += 1
    const generation = this.#generations.at(-1)!
    const block = blockOf(hash)
    let bits = secondHash(hash)
    for (let bit = 0; bit < bitsPerId; bit++) {
      const at = block + ((bits >>> 19) & (blockInts - 1))
      generation[at] = generation[at]! | (1 << (bits >>> 27))
      bits = nextBits(bits)
    }
  }

  /** False only for an id that was never added. */
  mayHold(hash: number): boolean {
    return !this.isComplete || this.#generations.some((generation) => isIn(generation, hash))
  }

  /** The filters, oldest first. The newest goes on changing. */
  generations(): readonly Uint8Array[] {
    return this.#generations.map((ints) => new Uint8Array(ints.buffer))
  }

  /** Takes what was kept of an earlier life, of the same ids or more. Ids that are forgotten once more are in it twice, which does no harm. */
  recall(generations: readonly Uint8Array[]): void {
    this.#generations = generations.map((bytes) => {
      const ints = new Int32Array(intsPerGeneration)
      new Uint8Array(ints.buffer).set(bytes.subarray(0, intsPerGeneration * 4))
      return ints
    })
    // How full the newest is was not kept: half, so that a service that is often restarted does not begin a new one each time.
    this.#inNewest = idsPerGeneration / 2
    this.isComplete = true
  }
}

function isIn(generation: Int32Array, hash: number): boolean {
  const block = blockOf(hash)
  let bits = secondHash(hash)
  for (let bit = 0; bit < bitsPerId; bit++) {
    if ((generation[block + ((bits >>> 19) & (blockInts - 1))]! & (1 << (bits >>> 27))) === 0) return false
    bits = nextBits(bits)
  }
  return true
}

function blockOf(hash: number): number {
  return ((hash >>> 0) % (intsPerGeneration / blockInts)) * blockInts
}

function secondHash(hash: number): number {
  const mixed = Math.imul(hash ^ (hash >>> 15), 0x85ebca6b)
  return Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35)
}

function nextBits(bits: number): number {
  return Math.imul(bits, 0x19660d) + 0x3c6ef35f
}

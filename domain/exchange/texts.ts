/** In the header of a text, beside its length in UTF-16 units: it has two bytes a unit, since not all fit into one. */
export const wide = 1 << 30

/** Spreads the ids of an account, or any texts where the account is 0. For ever: what was forgotten is known by it (`ForgottenIds`). */
export function hashOf(account: number, text: string): number {
  let hash = begin(account)
  for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), prime)
  return spread(hash)
}

const prime = 0x01000193

function begin(account: number): number {
  return Math.imul(account + 1, 0x9e3779b1)
}

function spread(hash: number): number {
  const mixed = Math.imul(hash ^ (hash >>> 16), 0x7feb352d)
  return mixed ^ (mixed >>> 15)
}

/** A text of `header` whose bytes begin at `start`. Eight units at a time: a piece for each would leave a rope of pieces behind. */
export function decodeText(bytes: Uint8Array, start: number, header: number): string {
  const length = header & ~wide
  let text = ''
  if ((header & wide) !== 0) {
    for (let at = start; at < start + length * 2; at += 2) text += String.fromCharCode(bytes[at]! | (bytes[at + 1]! << 8))
    return text
  }
  let at = start
  for (const end = start + length - 7; at < end; at += 8) {
    text += String.fromCharCode(
      bytes[at]!,
      bytes[at + 1]!,
      bytes[at + 2]!,
      bytes[at + 3]!,
      bytes[at + 4]!,
      bytes[at + 5]!,
      bytes[at + 6]!,
      bytes[at + 7]!,
    )
  }
  for (; at < start + length; at++) text += String.fromCharCode(bytes[at]!)
  return text
}

/** Texts as bytes, one after another. */
export class PackedTexts {
  readonly count: number
  readonly #headers: Int32Array
  /** Where each begins, and the end of the last. */
  readonly #starts: Int32Array
  readonly #bytes: Uint8Array

  /** @param headers length of each in UTF-16 units, with `wide` where that holds */
  constructor(headers: Int32Array, bytes: Uint8Array) {
    this.count = headers.length
    this.#headers = headers
    this.#bytes = bytes
    this.#starts = new Int32Array(headers.length + 1)
    let start = 0
    for (let index = 0; index < headers.length; index++) {
      const header = headers[index]!
      start += (header & wide) === 0 ? header : (header & ~wide) * 2
      this.#starts[index + 1] = start
    }
  }

  /** Bytes of all of them. */
  get size(): number {
    return this.#starts[this.count]!
  }

  text(index: number): string {
    return decodeText(this.#bytes, this.#starts[index]!, this.#headers[index]!)
  }

  header(index: number): number {
    return this.#headers[index]!
  }

  bytes(index: number): Uint8Array {
    return this.#bytes.subarray(this.#starts[index]!, this.#starts[index + 1]!)
  }

  /** The `hashOf` of a text, without making it. */
  hash(account: number, index: number): number {
    const bytes = this.#bytes
    const end = this.#starts[index + 1]!
    let hash = begin(account)
    if ((this.#headers[index]! & wide) === 0) for (let at = this.#starts[index]!; at < end; at++) hash = Math.imul(hash ^ bytes[at]!, prime)
    else for (let at = this.#starts[index]!; at < end; at += 2) hash = Math.imul(hash ^ (bytes[at]! | (bytes[at + 1]! << 8)), prime)
    return spread(hash)
  }

  /** Whether two of them are alike. */
  areAlike(one: number, other: number): boolean {
    if (this.#headers[one] !== this.#headers[other]) return false
    const bytes = this.#bytes
    let at = this.#starts[other]!
    for (let own = this.#starts[one]!; own < this.#starts[one + 1]!; own++, at++) if (bytes[own] !== bytes[at]) return false
    return true
  }
}

/**
 * Texts by number. Those of a snapshot stay bytes until somebody asks for them: most are never asked for, while some 100,000 strings made at a start cost more
 * than all the rest of it, and are looked through by every full garbage collection from then on.
 */
export class Texts {
  #texts: (string | undefined)[] = []
  #packed: PackedTexts | undefined

  /** The text of a number that has one. */
  get(index: number): string {
    return this.#texts[index] ?? this.#unpack(index)
  }

  set(index: number, text: string): void {
    this.#texts[index] = text
  }

  /** Takes the texts of a snapshot as the first ones; before any is set. */
  restore(packed: PackedTexts): void {
    this.#packed = packed
    this.#texts = []
    this.#texts.length = packed.count
  }

  /** Where the text is bytes still, those. */
  packedAt(index: number): PackedTexts | undefined {
    return this.#texts[index] === undefined ? this.#packed : undefined
  }

  #unpack(index: number): string {
    const text = this.#packed!.text(index)
    this.#texts[index] = text
    return text
  }
}

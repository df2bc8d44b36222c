const keptLines = 400

interface Line {
  atMs: number
  who: string
  what: string
}

/** What a run did, line by line: the last lines to read, and a hash of all of them to compare runs by. */
export class Trace {
  readonly #lines: Line[] = []
  #count = 0
  #one = 0x811c9dc5
  #other = 0x01000193

  add(atMs: number, who: string, what: string): void {
    this.#mix(Math.floor(atMs * 1_000))
    for (let at = 0; at < who.length; at++) this.#mix(who.charCodeAt(at))
    for (let at = 0; at < what.length; at++) this.#mix(what.charCodeAt(at))
    this.#lines[this.#count % keptLines] = { atMs, who, what }
    this.#count += 1
  }

  get hash(): string {
    return [this.#one, this.#other].map((lane) => (lane >>> 0).toString(16).padStart(8, '0')).join('')
  }

  /** The newest lines, oldest first. */
  last(count: number): string[] {
    const from = Math.max(0, this.#count - Math.min(count, keptLines))
    return Array.from({ length: this.#count - from }, (_, index) => {
      const { atMs, who, what } = this.#lines[(from + index) % keptLines]!
      return `${atMs.toFixed(3)} ${who} ${what}`
    })
  }

  #mix(value: number): void {
    this.#one = Math.imul(this.#one ^ value, 0x01000193)
    this.#other = Math.imul(this.#other ^ value, 0x5bd1e995) ^ (this.#other >>> 15)
  }
}

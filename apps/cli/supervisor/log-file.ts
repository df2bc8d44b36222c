import { closeSync, fstatSync, openSync, renameSync, rmSync, writeSync } from 'node:fs'

/** A log file that never grows past its bound: at `bytesMax` it becomes `<file>.1`, and `<file>.1` becomes `<file>.2`, which goes. */
export class LogFile implements Disposable {
  readonly #file: string
  readonly #bytesMax: number
  readonly #onFault: (error: Error) => void
  #descriptor: number | undefined
  #bytes = 0
  #faulty = false
  /** A line broke off in its middle, where the disk was full. */
  #torn = false

  /** `onFault` is called once when lines are lost (a full disk), and again only after writing has worked in between. */
  constructor(file: string, options: { bytesMax?: number; onFault: (error: Error) => void }) {
    this.#file = file
    this.#bytesMax = options.bytesMax ?? 10 * 1_024 * 1_024
    this.#onFault = options.onFault
  }

  write(line: string): void {
    const bytes = Buffer.from(`${this.#torn ? '\n' : ''}${line}\n`)
    try {
      if (this.#descriptor !== undefined && this.#bytes + bytes.length > this.#bytesMax) this.#rotate()
      if (this.#descriptor === undefined) {
        this.#descriptor = openSync(this.#file, 'a', 0o600)
        this.#bytes = fstatSync(this.#descriptor).size
      }
      const written = writeSync(this.#descriptor, bytes)
      this.#bytes += written
      this.#torn = written < bytes.length
      if (this.#torn) throw new Error('no space is left for a whole line')
      this.#faulty = false
    } catch (error) {
      if (!this.#faulty) this.#onFault(error as Error)
      this.#faulty = true
    }
  }

  [Symbol.dispose](): void {
    if (this.#descriptor !== undefined) closeSync(this.#descriptor)
    this.#descriptor = undefined
  }

  #rotate(): void {
    this[Symbol.dispose]()
    rmSync(`${this.#file}.2`, { force: true })
    try {
      renameSync(`${this.#file}.1`, `${this.#file}.2`)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    }
    renameSync(this.#file, `${this.#file}.1`)
  }
}

/** Cuts a stream of text into lines; a line longer than `lineMax` characters is cut there. */
export function splitLines(onLine: (line: string) => void, lineMax = 65_536): (chunk: string) => void {
  let rest = ''
  return (chunk) => {
    const lines = (rest + chunk).split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) if (line !== '') onLine(line.slice(0, lineMax))
    while (rest.length > lineMax) {
      onLine(rest.slice(0, lineMax))
      rest = rest.slice(lineMax)
    }
  }
}

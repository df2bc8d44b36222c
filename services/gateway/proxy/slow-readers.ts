import type { Duplex } from 'node:stream'

interface Reader {
  /** Bytes that the system had taken for it when it was last seen to move. */
  taken: number
  /** When that was, by `performance.now()`. */
  sinceMs: number
  cut: () => void
}

/**
 * Finds clients of sockets that take nothing of what waits for them, and cuts them off. What waits is bounded by the pipe, but a service that gives such a
 * client up is not heard: nothing is read from it while the client does not read, its end neither. Without this both connections would stay for as long
 * as the client likes.
 */
export class SlowReaders implements Disposable {
  readonly #readers = new Map<Duplex, Reader>()
  readonly #maxMs: number
  readonly #onCut: () => void
  readonly #looking: NodeJS.Timeout

  /** `maxMs`: for how long a client may take nothing while something waits for it. */
  constructor(maxMs: number, onCut: () => void) {
    this.#maxMs = maxMs
    this.#onCut = onCut
    this.#looking = setInterval(() => this.#look(), Math.min(1_000, maxMs / 4)).unref()
  }

  /** Watches until the client is closed. */
  watch(client: Duplex, cut: () => void): void {
    this.#readers.set(client, { taken: takenBy(client), sinceMs: performance.now(), cut })
    client.once('close', () => this.#readers.delete(client))
  }

  #look(): void {
    const nowMs = performance.now()
    for (const [client, reader] of this.#readers) {
      const taken = takenBy(client)
      if (client.writableNeedDrain && taken === reader.taken) {
        if (nowMs - reader.sinceMs < this.#maxMs) continue
        this.#readers.delete(client)
        this.#onCut()
        reader.cut()
        continue
      }
      reader.taken = taken
      reader.sinceMs = nowMs
    }
  }

  [Symbol.dispose](): void {
    clearInterval(this.#looking)
  }
}

/** Bytes that were written and have left this process. */
function takenBy(client: Duplex): number {
  return ('bytesWritten' in client ? Number(client.bytesWritten) : 0) - client.writableLength
}

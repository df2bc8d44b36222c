import { open, stat, type FileHandle } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { splitLines } from './supervisor/log-file.ts'

const lookEveryMs = 200
const readMaxBytes = 64 * 1_024

/** Calls `onLine` with each line that is written to a file from now on, through its renaming when it is full. Resolves when `signal` aborts. */
export async function followFile(file: string, signal: AbortSignal, onLine: (line: string) => void): Promise<void> {
  const take = splitLines(onLine)
  let handle: FileHandle | undefined
  let from = 0
  try {
    handle = await open(file, 'r')
    from = (await handle.stat()).size
    while (!signal.aborted) {
      from = await readOn(handle, from, take)
      // What was still written to the old file before it was renamed has just been read.
      if (await isAnother(file, handle)) {
        await readOn(handle, from, take)
        await handle.close()
        handle = await open(file, 'r')
        from = 0
      } else await sleep(lookEveryMs, undefined, { signal }).catch(() => undefined)
    }
  } finally {
    await handle?.close()
  }
}

async function readOn(handle: FileHandle, from: number, take: (chunk: string) => void): Promise<number> {
  const buffer = Buffer.alloc(readMaxBytes)
  const decoder = new TextDecoder()
  for (;;) {
    const { bytesRead } = await handle.read(buffer, 0, readMaxBytes, from)
    take(decoder.decode(buffer.subarray(0, bytesRead), { stream: bytesRead > 0 }))
    if (bytesRead === 0) return from
    from += bytesRead
  }
}

async function isAnother(file: string, handle: FileHandle): Promise<boolean> {
  const named = await stat(file).catch(() => undefined)
  return named !== undefined && named.ino !== (await handle.stat()).ino
}

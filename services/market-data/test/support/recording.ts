import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { gzipSync } from 'node:zlib'

/** A folder with recorded files made for a test. */
export interface RecordingFolder extends AsyncDisposable {
  readonly folder: string
}

export async function makeRecording(files: Record<string, string>): Promise<RecordingFolder> {
  const folder = await mkdtemp(path.join(tmpdir(), 'maru-recording-'))
  for (const [name, text] of Object.entries(files)) {
    const file = path.join(folder, name)
    await mkdir(path.dirname(file), { recursive: true })
    await writeFile(file, name.endsWith('.gz') ? gzipSync(text) : text)
  }
  return { folder, [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }) }
}

export const recordedMinuteMs = 60_000
export const recordedStartMs = Date.UTC(2023, 2, 17, 0, 0)

/** Rows of candles: minute `i` opens at 100 + i; the given minutes are missing or without volume. */
export function candleFile(
  count: number,
  options: { missing?: (index: number) => boolean; silent?: (index: number) => boolean } = {},
): string {
  const rows = ['timestamp_ms,open,high,low,close,volume']
  for (let index = 0; index < count; index++) {
    if (options.missing?.(index) === true) continue
    const open = 100 + (index % 400)
    const time = recordedStartMs + index * recordedMinuteMs
    rows.push(
      options.silent?.(index) === true
        ? `${time},${open},${open},${open},${open},0`
        : `${time},${open},${open + 2.5},${open - 1.25},${open + 1},${(index + 1) * 0.12345}`.replace(/(\.\d{5})\d+$/, '$1'),
    )
  }
  return `${rows.join('\n')}\n`
}

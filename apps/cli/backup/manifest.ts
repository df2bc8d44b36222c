import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { PassThrough, type Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createZstdDecompress } from 'node:zlib'

/** One table of a backup: `data/<schema>.<table>.copy.zst`, rows in PostgreSQL's binary form of COPY, compressed with zstd. */
export interface TableCopy {
  schema: string
  table: string
  /** In the order in which they stand in the file. */
  columns: string[]
  rows: number
  /** Of the rows before they were compressed, in hex. */
  sha256: string
}

/** What a backup holds; written last, so that a folder without it is no backup. */
export interface Manifest {
  format: 1
  created_at: string
  /** Of Maru. */
  version: string
  postgres: string
  /** Schema and name of every migration that had been applied. */
  migrations: string[]
  /** A table comes after those it refers to. */
  tables: TableCopy[]
  sequences: { schema: string; name: string; last_value: string; is_called: boolean }[]
  /** Secrets and settings of the home folder, by name in `home/`, with the SHA-256 of each. */
  files: Record<string, string>
}

export const manifestName = 'manifest.json'

export function dataFile(folder: string, { schema, table }: Pick<TableCopy, 'schema' | 'table'>): string {
  return path.join(folder, 'data', `${schema}.${table}.copy.zst`)
}

/** Reads the manifest and checks that every file is there as it was written. Throws an Error that names what is not. */
export async function readBackup(folder: string): Promise<Manifest> {
  const text = await readFile(path.join(folder, manifestName), 'utf8').catch((error: unknown) => {
    throw new Error(`${folder} is no backup: it has no ${manifestName}, which is written last`, { cause: error })
  })
  let manifest: Manifest
  try {
    manifest = JSON.parse(text) as Manifest
  } catch (error) {
    throw new Error(`${path.join(folder, manifestName)} is damaged`, { cause: error })
  }
  if (manifest.format !== 1) throw new Error(`the backup is of a form (${String(manifest.format)}) that this release does not know`)
  for (const table of manifest.tables) await expectSame(dataFile(folder, table), table.sha256, createZstdDecompress())
  for (const [name, sha256] of Object.entries(manifest.files)) await expectSame(path.join(folder, 'home', path.basename(name)), sha256)
  return manifest
}

async function expectSame(file: string, sha256: string, through?: Transform): Promise<void> {
  const found = await sha256Of(file, through).catch((error: unknown) => {
    throw new Error(`${file} is damaged: ${(error as Error).message}`, { cause: error })
  })
  if (found !== sha256) throw new Error(`${file} is damaged: it is not what was written`)
}

/** Of what a file holds, or of what comes of it. */
export async function sha256Of(file: string, through: Transform = new PassThrough()): Promise<string> {
  const hash = createHash('sha256')
  await pipeline(createReadStream(file), through, hash)
  return hash.digest('hex')
}

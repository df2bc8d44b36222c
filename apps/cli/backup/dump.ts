import { createHash } from 'node:crypto'
import { createWriteStream } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import path from 'node:path'
import { Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { constants, createZstdCompress } from 'node:zlib'
import type pg from 'pg'
import { to as copyTo } from 'pg-copy-streams'
import { schemaOf, serviceKeys } from '@maru/service-host/names'
import { asOwner } from './owner.ts'
import { dataFile, type Manifest, type TableCopy } from './manifest.ts'

/** All that is kept. Discovery is not: who runs announces itself anew. */
export const keptSchemas: readonly string[] = ['event_log', ...serviceKeys.map(schemaOf)]

const compression = { [constants.ZSTD_c_compressionLevel]: 3, [constants.ZSTD_c_checksumFlag]: 1 }

type Dump = Pick<Manifest, 'postgres' | 'migrations' | 'tables' | 'sequences'>

/**
 * Writes every table of the platform to `folder/data`, all as of one moment (one snapshot, repeatable read), while others read and write. `client` is of an administrator of the database.
 */
export async function dumpDatabase(client: pg.Client, folder: string): Promise<Dump> {
  await mkdir(path.join(folder, 'data'), { mode: 0o700 })
  await client.query('begin isolation level repeatable read read only')
  try {
    const tables: TableCopy[] = []
    for (const { schema, table, columns } of await tablesOf(client)) {
      const file = dataFile(folder, { schema, table })
      const hash = createHash('sha256')
      const rows = await asOwner(client, schema, async () => {
        const list = columns.map((name) => client.escapeIdentifier(name)).join(', ')
        const copy = client.query(copyTo(`copy ${schema}.${client.escapeIdentifier(table)} (${list}) to stdout (format binary)`))
        // Not of the file: how rows are compressed depends on the pieces in which they come.
        const hashed = new Transform({ transform: (chunk: Buffer, _, done) => done(null, (hash.update(chunk), chunk)) })
        await pipeline(copy, hashed, createZstdCompress({ params: compression }), createWriteStream(file, { mode: 0o600 }))
        return copy.rowCount
      })
      tables.push({ schema, table, columns, rows, sha256: hash.digest('hex') })
    }
    const migrations = await migrationsOf(client)
    // Numbers are given out beside transactions, so these are at least as high as any in the tables.
    const { rows: sequences } = await client.query<Manifest['sequences'][number]>(
      `select schemaname as schema, sequencename as name, coalesce(last_value, start_value)::text as last_value, last_value is not null as is_called
       from pg_sequences where schemaname = any($1) order by 1, 2`,
      [keptSchemas],
    )
    const { rows: version } = await client.query<{ server_version: string }>('show server_version')
    return { postgres: version[0]?.server_version ?? '', migrations, tables, sequences }
  } finally {
    await client.query('rollback')
  }
}

/** Every table that is kept but for those that tell of migrations, those first that others refer to. Generated columns are left out. */
export async function tablesOf(client: pg.Client): Promise<{ schema: string; table: string; columns: string[] }[]> {
  const { rows } = await client.query<{ id: string; schema: string; table: string; columns: string[] }>(
    `select c.oid::text as id, n.nspname as schema, c.relname as table,
       (select array_agg(a.attname::text order by a.attnum) from pg_attribute a
        where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped and a.attgenerated = '') as columns
     from pg_class c join pg_namespace n on n.oid = c.relnamespace
     where n.nspname = any($1) and c.relkind = 'r' and c.relname <> 'migrations' order by 2, 3`,
    [keptSchemas],
  )
  const { rows: references } = await client.query<{ from: string; to: string }>(
    `select conrelid::text as from, confrelid::text as to from (select conrelid::oid, confrelid::oid from pg_constraint where contype = 'f' and conrelid <> confrelid) as found`,
  )
  const ordered: typeof rows = []
  const left = new Set(rows)
  while (left.size > 0) {
    const free = [...left].filter(({ id }) => !references.some(({ from, to }) => from === id && [...left].some((other) => other.id === to)))
    if (free.length === 0) throw new Error('tables refer to each other in a circle, which a backup cannot put in order')
    for (const row of free) left.delete(row)
    ordered.push(...free)
  }
  return ordered.map(({ schema, table, columns }) => ({ schema, table, columns }))
}

/** As `schema/name`, and for topics of the log `event_log/topic/name`. */
export async function migrationsOf(client: pg.Client): Promise<string[]> {
  const names: string[] = []
  for (const schema of keptSchemas) {
    const { rows: found } = await client.query<{ there: boolean }>(`select to_regclass($1) is not null as there`, [`${schema}.migrations`])
    if (!found[0]?.there) continue
    const column = schema === 'event_log' ? `topic || '/' || name` : 'name'
    const { rows } = await asOwner(client, schema, () =>
      client.query<{ name: string }>(`select ${column} as name from ${schema}.migrations`),
    )
    names.push(...rows.map(({ name }) => `${schema}/${name}`))
  }
  return names.sort()
}

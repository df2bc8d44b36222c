import { createReadStream } from 'node:fs'
import { pipeline } from 'node:stream/promises'
import { createZstdDecompress } from 'node:zlib'
import type pg from 'pg'
import { from as copyFrom } from 'pg-copy-streams'
import { asOwner } from './owner.ts'
import { keptSchemas, migrationsOf, tablesOf } from './dump.ts'
import { dataFile, type Manifest } from './manifest.ts'

/**
 * Fills the tables of a fresh database, made by the same migrations, from a backup: all of it or, where anything does not fit, nothing. `client` is of an administrator.
 */
export async function loadDatabase(client: pg.Client, folder: string, manifest: Manifest): Promise<void> {
  await client.query('begin')
  try {
    const migrations = await migrationsOf(client)
    const odd = [
      ...manifest.migrations.filter((name) => !migrations.includes(name)),
      ...migrations.filter((name) => !manifest.migrations.includes(name)),
    ]
    if (odd.length > 0)
      throw new Error(
        `the backup was made by another release (${manifest.version}), with other migrations (${odd.slice(0, 3).join(', ')}…): restore it with that release, then go on to this one`,
      )
    const present = await tablesOf(client)
    for (const schema of keptSchemas) {
      // What making the tables has put into them is in the backup too, as it was then.
      const names = present.filter((table) => table.schema === schema).map(({ table }) => `${schema}.${client.escapeIdentifier(table)}`)
      if (names.length > 0) await asOwner(client, schema, () => client.query(`truncate ${names.join(', ')}`))
    }
    for (const table of manifest.tables) {
      const { schema, columns, rows } = table
      const name = `${schema}.${client.escapeIdentifier(table.table)}`
      await asOwner(client, schema, async () => {
        const list = columns.map((column) => client.escapeIdentifier(column)).join(', ')
        const copy = client.query(copyFrom(`copy ${name} (${list}) from stdin (format binary)`))
        await pipeline(createReadStream(dataFile(folder, table)), createZstdDecompress(), copy)
        if (copy.rowCount !== rows) throw new Error(`${name} has ${copy.rowCount} rows, and ${rows} were saved`)
      })
    }
    for (const { schema, name, last_value: value, is_called: isCalled } of manifest.sequences)
      await asOwner(client, schema, () =>
        client.query('select setval($1::regclass, $2::bigint, $3)', [`${schema}.${client.escapeIdentifier(name)}`, value, isCalled]),
      )
    await client.query('commit')
  } catch (error) {
    await client.query('rollback').catch(() => undefined)
    throw error
  }
}

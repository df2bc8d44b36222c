import { readdir, readFile } from 'node:fs/promises'
import path from 'node:path'
import type pg from 'pg'
import { tableOf } from './names.ts'

export interface TopicRights {
  topic: string
  /** Roles that may append, open writers, trim, and read. */
  appenders: readonly string[]
  /** Roles that may read. */
  readers: readonly string[]
}

/**
 * Makes the schema `event_log` with these topics, or brings it up to date: each numbered SQL file is applied to each topic once.
 * Rights are set anew each time. Safe to repeat and to run from several processes at once. `admin` must own the schema.
 */
export async function installEventLog(admin: pg.ClientBase, topics: readonly TopicRights[]): Promise<void> {
  const folder = path.join(import.meta.dirname, 'sql')
  const files = (await readdir(folder)).filter((file) => /^\d{4}_.*\.sql$/.test(file)).sort()
  await admin.query('begin')
  try {
    await admin.query(`select pg_advisory_xact_lock(hashtext('event_log'))`)
    await admin.query('create schema if not exists event_log')
    await admin.query(
      'create table if not exists event_log.migrations (topic text, name text, applied_at timestamptz not null default now(), primary key (topic, name))',
    )
    for (const { topic } of topics) {
      const { rows } = await admin.query<{ name: string }>('select name from event_log.migrations where topic = $1', [topic])
      const applied = new Set(rows.map((row) => row.name))
      for (const file of files) {
        if (applied.has(file)) continue
        await admin.query((await readFile(path.join(folder, file), 'utf8')).replaceAll('{{table}}', tableOf(topic)))
        await admin.query('insert into event_log.migrations (topic, name) values ($1, $2)', [topic, file])
      }
    }
    await grantRights(admin, topics)
    await admin.query('commit')
  } catch (error) {
    await admin.query('rollback')
    throw error
  }
}

async function grantRights(admin: pg.ClientBase, topics: readonly TopicRights[]): Promise<void> {
  const roles = new Set(topics.flatMap((topic) => [...topic.appenders, ...topic.readers]))
  for (const role of roles) {
    const name = admin.escapeIdentifier(role)
    await admin.query(`revoke all on all tables in schema event_log from ${name}`)
    await admin.query(`revoke all on all functions in schema event_log from ${name}`)
    await admin.query(`grant usage on schema event_log to ${name}`)
  }
  for (const { topic, appenders, readers } of topics) {
    const table = tableOf(topic)
    for (const role of new Set([...appenders, ...readers])) {
      await admin.query(`grant select on event_log.${table}, event_log.${table}_head to ${admin.escapeIdentifier(role)}`)
    }
    for (const role of appenders) {
      await admin.query(
        `grant execute on function event_log.${table}_append(text, bigint, bytea, text, bigint), event_log.${table}_open_writer(text), ` +
          `event_log.${table}_trim(bigint, integer) to ${admin.escapeIdentifier(role)}`,
      )
    }
  }
}

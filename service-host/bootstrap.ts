import { createHmac, createHash, pbkdf2, randomBytes } from 'node:crypto'
import { promisify } from 'node:util'
import pg from 'pg'
import { topics } from '@maru/contracts'
import { installEventLog, type TopicRights } from '@maru/event-log'
import { installDiscovery } from './discovery/postgres/schema.ts'
import { registrationContextsSchema } from './tracing/registration-contexts.ts'
import { traceContextsSchema } from './tracing/trace-contexts.ts'
import { roleOf, schemaOf, serviceKeys, type ServiceKey } from './names.ts'

export interface BootstrapOptions {
  /** A role that may create roles and databases; its database is only connected to. */
  adminUrl: string
  /** By role: `maru_trading` … (`roleOf(service)`). Set anew each time, so a changed password takes effect. */
  passwords: Readonly<Record<string, string>>
  /** Default `maru`. */
  database?: string
}

/** Who appends to a topic and who reads it; an appender may read it too. */
const topicRights: readonly TopicRights[] = [
  { topic: topics.tradingCommands, appenders: [roleOf('trading')], readers: [] },
  { topic: topics.tradingEvents, appenders: [roleOf('trading')], readers: [roleOf('notification'), roleOf('analytics')] },
  { topic: topics.userEvents, appenders: [roleOf('user')], readers: [roleOf('trading'), roleOf('notification'), roleOf('analytics')] },
  {
    topic: topics.marketData,
    appenders: [roleOf('market-data')],
    readers: [roleOf('trading'), roleOf('notification'), roleOf('analytics')],
  },
]

/**
 * Makes everything that services need in PostgreSQL before they start: the database, a role and a schema for each service, the
 * event log and discovery, with the least rights. Safe to repeat and to run from several processes at once.
 * Returns the connection string of each service (a secret).
 */
export async function bootstrapDatabase(options: BootstrapOptions): Promise<Record<ServiceKey, string>> {
  const { adminUrl, passwords, database = 'maru' } = options
  await withClient(adminUrl, async (admin) => {
    await admin.query(`select pg_advisory_lock(hashtext('maru bootstrap'))`)
    for (const service of serviceKeys) {
      const password = passwords[roleOf(service)]
      if (password === undefined || password === '') throw new Error(`No password is given for the database role ${roleOf(service)}.`)
      await ensureRole(admin, roleOf(service), schemaOf(service), password)
    }
    const { rowCount } = await admin.query('select 1 from pg_database where datname = $1', [database])
    if (rowCount === 0) await admin.query(`create database ${admin.escapeIdentifier(database)}`)
    await closeDatabase(admin, database)
  })
  await withClient(inDatabase(adminUrl, database), async (admin) => {
    await admin.query(`select pg_advisory_lock(hashtext('maru bootstrap'))`)
    await admin.query('revoke all on schema public from public')
    for (const service of serviceKeys) await ensureSchema(admin, schemaOf(service), roleOf(service))
    await installEventLog(admin, topicRights)
    await installDiscovery(admin)
    await admin.query(traceContextsSchema)
    await admin.query(registrationContextsSchema)
  })
  return urlsOf(adminUrl, passwords, database)
}

/** Connection strings by service, for a database that has been bootstrapped. */
export function urlsOf(adminUrl: string, passwords: Readonly<Record<string, string>>, database: string): Record<ServiceKey, string> {
  const entries = serviceKeys.map((service) => {
    const url = new URL(inDatabase(adminUrl, database))
    url.username = roleOf(service)
    url.password = encodeURIComponent(passwords[roleOf(service)] ?? '')
    return [service, url.href] as const
  })
  return Object.fromEntries(entries) as Record<ServiceKey, string>
}

/** Only the roles of the services may connect. These rights belong to a database and are not copied from a template. */
export async function closeDatabase(admin: pg.ClientBase, database: string): Promise<void> {
  const name = admin.escapeIdentifier(database)
  await admin.query(`revoke all on database ${name} from public`)
  await admin.query(`grant connect on database ${name} to ${serviceKeys.map(roleOf).join(', ')}`)
}

export function inDatabase(url: string, database: string): string {
  const changed = new URL(url)
  changed.pathname = `/${encodeURIComponent(database)}`
  return changed.href
}

async function withClient(connectionString: string, work: (client: pg.Client) => Promise<void>): Promise<void> {
  const client = new pg.Client({ connectionString, application_name: 'maru-bootstrap', connectionTimeoutMillis: 10_000 })
  // A connection that breaks rejects the query under way; without a listener the event would end the process.
  client.on('error', () => undefined)
  await client.connect()
  try {
    await work(client)
  } finally {
    await client.end()
  }
}

async function ensureRole(admin: pg.Client, role: string, schema: string, password: string): Promise<void> {
  const { rowCount } = await admin.query('select 1 from pg_roles where rolname = $1', [role])
  const secret = admin.escapeLiteral(await scramVerifier(password))
  await admin.query(`${rowCount === 0 ? 'create' : 'alter'} role ${role} login password ${secret}`)
  await admin.query(`alter role ${role} set search_path = ${schema}`)
}

async function ensureSchema(admin: pg.Client, schema: string, role: string): Promise<void> {
  const { rows } = await admin.query<{ owner: string }>('select nspowner::regrole::text as owner from pg_namespace where nspname = $1', [
    schema,
  ])
  if (rows[0]?.owner === role) return
  // An administrator who is no superuser may give a schema only to a role it is a member of.
  const { rows: who } = await admin.query<{ member: boolean }>(`select pg_has_role(current_user, $1, 'set') as member`, [role])
  if (!who[0]?.member) await admin.query(`grant ${role} to current_user with inherit false, set true`)
  await admin.query(rows[0] ? `alter schema ${schema} owner to ${role}` : `create schema ${schema} authorization ${role}`)
}

/** What PostgreSQL keeps in place of a password (RFC 5802, RFC 7677), so that the password itself is never in a statement or a log. */
async function scramVerifier(password: string): Promise<string> {
  const salt = randomBytes(16)
  const iterations = 4_096
  const salted = await promisify(pbkdf2)(password.normalize('NFKC'), salt, iterations, 32, 'sha256')
  const hmac = (text: string) => createHmac('sha256', salted).update(text).digest()
  const storedKey = createHash('sha256').update(hmac('Client Key')).digest('base64')
  return `SCRAM-SHA-256$${iterations}:${salt.toString('base64')}$${storedKey}:${hmac('Server Key').toString('base64')}`
}

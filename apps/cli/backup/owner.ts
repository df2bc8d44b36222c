import type pg from 'pg'
import { roleOf, schemaOf, serviceKeys } from '@maru/service-host/names'

/** Does `work` as the owner of a schema, within a transaction: an administrator who is no superuser may not read what is a service's. */
export async function asOwner<Result>(client: pg.Client, schema: string, work: () => Promise<Result>): Promise<Result> {
  const service = serviceKeys.find((key) => schemaOf(key) === schema)
  const { rows } = await client.query<{ rolsuper: boolean }>('select rolsuper from pg_roles where rolname = session_user')
  if (service === undefined || rows[0]?.rolsuper) return work()
  await client.query(`set local role ${roleOf(service)}`)
  const result = await work()
  await client.query('reset role')
  return result
}

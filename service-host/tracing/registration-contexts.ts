import type pg from 'pg'
import type { Traceparent } from './tracing.ts'

/**
 * As `tracing.contexts`, of registrations: `user.registered` is no command yet, so its trace is noted by the id of the user. The note is made before the event is, so that whoever opens the account finds it and
 * the command that opens it goes on with the trace.
 */
export const registrationContextsSchema = `
create unlogged table if not exists tracing.registrations (
  user_id text primary key,
  traceparent text not null check (length(traceparent) = 55),
  noted_at timestamptz not null default now()
);
create index if not exists registrations_noted_at on tracing.registrations (noted_at);
alter table tracing.registrations enable row level security;
drop policy if exists everyone_reads on tracing.registrations;
create policy everyone_reads on tracing.registrations for select using (true);
drop policy if exists user_writes on tracing.registrations;
create policy user_writes on tracing.registrations for all using (current_user = 'maru_user') with check (current_user = 'maru_user');
grant select, insert, update, delete on tracing.registrations to public;
`

const keptMinutes = 10

/** Notes where the trace of a registration stands, and lets old notes go. Never rejects: traces are an extra. */
export async function noteRegistration(database: Pick<pg.Pool, 'query'>, userId: string, traceparent: Traceparent): Promise<void> {
  try {
    await database.query(
      `with gone as (delete from tracing.registrations where noted_at < now() - make_interval(mins => $3))
       insert into tracing.registrations (user_id, traceparent) values ($1, $2) on conflict do nothing`,
      [userId, traceparent, keptMinutes],
    )
  } catch {
    // What cannot be noted now is let go.
  }
}

/** Where the traces of registrations stand, of those that have one. */
export async function findRegistrations(database: Pick<pg.Pool, 'query'>, userIds: readonly string[]): Promise<Map<string, Traceparent>> {
  const { rows } = await database.query<{ user_id: string; traceparent: Traceparent }>(
    'select user_id, traceparent from tracing.registrations where user_id = any($1::text[])',
    [[...new Set(userIds)]],
  )
  return new Map(rows.map(({ user_id: userId, traceparent }) => [userId, traceparent]))
}

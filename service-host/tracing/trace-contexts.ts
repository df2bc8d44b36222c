import type pg from 'pg'
import type { Traceparent } from './tracing.ts'

/**
 * How traces cross the log. Records keep their form for ever and have no room for a trace, so the instance that took a sampled command notes here, beside the log,
 * by the number of the command, where its trace stands; readers of the command's events, whose ids begin with that number, look it up. Nothing relies on it: a note that
 * comes late, or is gone, costs a span and nothing else. The table is unlogged, and notes go after ten minutes.
 */
export const traceContextsSchema = `
create schema if not exists tracing;
create unlogged table if not exists tracing.contexts (
  command bigint primary key,
  traceparent text not null check (length(traceparent) = 55),
  noted_at timestamptz not null default now()
);
create index if not exists contexts_noted_at on tracing.contexts (noted_at);
alter table tracing.contexts enable row level security;
drop policy if exists everyone_reads on tracing.contexts;
create policy everyone_reads on tracing.contexts for select using (true);
drop policy if exists trading_writes on tracing.contexts;
create policy trading_writes on tracing.contexts for all using (current_user = 'maru_trading') with check (current_user = 'maru_trading');
grant usage on schema tracing to public;
grant select, insert, update, delete on tracing.contexts to public;
`

/** Notes waiting to be stored; beyond it a trace ends at the log. */
const waitingMax = 1_000
const keptMinutes = 10
const sweepEveryMs = 60_000

/** The writing side. */
export class TraceNotes {
  readonly #pool: pg.Pool
  #waiting: [command: number, traceparent: Traceparent][] = []
  #writing = false
  #sweptMs = -Infinity

  constructor(pool: pg.Pool) {
    this.#pool = pool
  }

  note(command: number, traceparent: Traceparent): void {
    if (this.#waiting.length < waitingMax) this.#waiting.push([command, traceparent])
    if (this.#writing) return
    this.#writing = true
    void this.#write().finally(() => (this.#writing = false))
  }

  async #write(): Promise<void> {
    while (this.#waiting.length > 0) {
      const notes = this.#waiting.splice(0)
      try {
        await this.#pool.query(
          'insert into tracing.contexts (command, traceparent) select * from unnest($1::bigint[], $2::text[]) on conflict do nothing',
          [notes.map(([command]) => command), notes.map(([, traceparent]) => traceparent)],
        )
        if (performance.now() - this.#sweptMs < sweepEveryMs) continue
        this.#sweptMs = performance.now()
        await this.#pool.query(`delete from tracing.contexts where noted_at < now() - make_interval(mins => $1)`, [keptMinutes])
      } catch {
        // Traces are an extra: what cannot be noted now is let go.
      }
    }
  }
}

/** Where the traces of commands stand, of those that have one. */
export async function findTraces(database: Pick<pg.Pool, 'query'>, commands: readonly number[]): Promise<Map<number, Traceparent>> {
  const { rows } = await database.query<{ command: string; traceparent: Traceparent }>(
    'select command, traceparent from tracing.contexts where command = any($1::bigint[])',
    [[...new Set(commands)]],
  )
  return new Map(rows.map(({ command, traceparent }) => [Number(command), traceparent]))
}

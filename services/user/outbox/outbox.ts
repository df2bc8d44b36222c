import type { UserEvent } from '@maru/contracts'
import type pg from 'pg'

type Unstamped<E> = E extends UserEvent ? Omit<E, 'id' | 'v' | 'timestamp'> : never

/**
 * Writes an event in the transaction that makes it true; the relay carries it to the log. Call it last: the counter's row
 * stays locked until the transaction ends, which keeps sequences without a gap and in the order of commits.
 * @returns the sequence of the event
 */
export async function addToOutbox(client: pg.PoolClient, event: Unstamped<UserEvent>, at: Date): Promise<number> {
  const { rows } = await client.query<{ last_sequence: string }>(
    'update outbox_counter set last_sequence = last_sequence + 1 returning last_sequence',
  )
  const sequence = Number(rows[0]?.last_sequence)
  const stamped = {
    id: `user-${String(sequence).padStart(12, '0')}`,
    type: event.type,
    v: 1,
    timestamp: at.toISOString(),
    data: event.data,
  }
  await client.query('insert into outbox (sequence, body) values ($1, $2)', [sequence, JSON.stringify([stamped])])
  return sequence
}

import type pg from 'pg'

/** Notifications kept for a user; the oldest go, unless their mail is still on its way. */
export const inboxMax = 1_000
/** An inbox is looked at after so many have come into it, and may be so much longer meanwhile. */
const uncheckedMax = 50
/** Of so many users it is remembered how many came; beyond that all are forgotten, and so looked at again. */
const usersMax = 100_000

/** Keeps inboxes bounded: looks at one when this process first adds to it, and then now and again. */
export class InboxTrimmer {
  readonly #unchecked = new Map<string, number>()

  /** After these have been added, in the same transaction. Where that is rolled back an inbox is looked at sooner than need be. */
  async added(client: pg.PoolClient, items: readonly { userId: string }[]): Promise<void> {
    const due = new Set<string>()
    for (const { userId } of items) {
      const unchecked = (this.#unchecked.get(userId) ?? uncheckedMax) + 1
      this.#unchecked.set(userId, unchecked)
      if (unchecked > uncheckedMax) due.add(userId)
    }
    if (due.size === 0) return
    await trimInboxes(client, [...due])
    if (this.#unchecked.size > usersMax) this.#unchecked.clear()
    else for (const userId of due) this.#unchecked.set(userId, 0)
  }
}

async function trimInboxes(client: pg.PoolClient, userIds: readonly string[]): Promise<void> {
  // Planned each time, as the tables grow.
  await client.query(
    `delete from notifications n using unnest($1::text[]) as u (user_id)
     where n.user_id = u.user_id
       and n.id <= (select id from notifications o where o.user_id = u.user_id order by id desc offset $2 limit 1)
       and not exists (select 1 from deliveries d where d.notification_id = n.id and d.status = 'queued')`,
    [userIds, inboxMax],
  )
}

import { Problem } from './problem.ts'

/**
 * A page of a short list that is held whole: the items after the one whose key is `cursor`, `limit` at most. `keyOf` gives a key of
 * letters, digits, dash and underscore. Throws Problem `invalid_request` where no item has the key of the cursor.
 */
export function pageOf<Item>(
  items: readonly Item[],
  query: { limit?: number; cursor?: string },
  keyOf: (item: Item) => string,
): { items: Item[]; next_cursor: string | null } {
  const at = query.cursor === undefined ? -1 : items.findIndex((item) => keyOf(item) === query.cursor)
  if (query.cursor !== undefined && at < 0)
    throw new Problem('invalid_request', 'cursor: is not one of ours, or what it named has gone.', {
      errors: [{ path: 'cursor', message: 'take it from next_cursor' }],
    })
  const page = items.slice(at + 1, query.limit === undefined ? undefined : at + 1 + query.limit)
  const last = page.at(-1)
  return { items: page, next_cursor: last !== undefined && at + 1 + page.length < items.length ? keyOf(last) : null }
}

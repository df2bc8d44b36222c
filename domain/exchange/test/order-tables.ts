import { describe, expect, test } from 'vitest'
import { Story, type Step } from './order-story.ts'

/** A story with its end: what must be so after the last step. */
export interface Row {
  given?: Step[]
  when: Step
  /** Refusal of the step, where it was refused. */
  refusal?: string
  /** Orders by their names. */
  orders?: Record<string, string>
  book?: string
  held?: Record<string, string>
  /** Where stops stand. */
  stops?: Record<string, number>
  position?: Record<string, number>
}
export type Table = Record<string, Row>

export const sell = (who: string, quantity: number, price: number, as?: string): Step => ({
  do: 'place',
  who,
  order: { side: 'SELL', quantity, price, ...(as === undefined ? {} : { as }) },
})
export const buy = (who: string, quantity: number, price: number, as?: string): Step => ({
  do: 'place',
  who,
  order: { side: 'BUY', quantity, price, ...(as === undefined ? {} : { as }) },
})
export const mark = (price: number): Step => ({ do: 'mark', price })
export const amend = (order: string, changes: Omit<Extract<Step, { do: 'amend' }>, 'do' | 'who' | 'order'>, who = 'ann'): Step => ({
  do: 'amend',
  who,
  order,
  ...changes,
})
export const trade = (price: number): Step[] => [sell('cat', 0.01, price), buy('dan', 0.01, price)]
export const asks = [sell('bob', 1, 101), sell('bob', 1, 102), sell('bob', 1, 103)]
export const bids = [buy('bob', 1, 99), buy('bob', 1, 98), buy('bob', 1, 97)]

/** Tests of every row, as it is and with the exchange restarted from a snapshot after each step. */
export function runTables(tables: Record<string, Table>): void {
  for (const [title, table] of Object.entries(tables)) {
    describe(title, () => {
      for (const [name, row] of Object.entries(table)) {
        test.each([{ restart: false }, { restart: true }])(`${name} (restarted after every step: $restart)`, ({ restart }) => {
          const story = new Story(restart)
          for (const step of row.given ?? []) story.take(step)
          expect({ refusal: story.take(row.when) }).toEqual({ refusal: row.refusal ?? refusalOf(row) })
          const seen = {
            orders: Object.fromEntries(Object.keys(row.orders ?? {}).map((order) => [order, story.order(order)])),
            ...(row.book === undefined ? {} : { book: story.book() }),
            stops: Object.fromEntries(Object.keys(row.stops ?? {}).map((order) => [order, story.view(order).stopPrice / 100])),
            held: Object.fromEntries(Object.keys(row.held ?? {}).map((who) => [who, story.held(who)])),
            position: Object.fromEntries(Object.keys(row.position ?? {}).map((who) => [who, story.position(who)])),
          }
          const { orders = {}, book, stops = {}, held = {}, position = {} } = row
          expect(seen).toEqual({ orders, ...(book === undefined ? {} : { book }), stops, held, position })
        })
      }
    })
  }
}

/** An order that expires says why in its update: that is no refusal of the step. */
function refusalOf(row: Row): string | undefined {
  for (const text of Object.values(row.orders ?? {})) {
    const code = text.split(', ').at(-1)!
    if (text.startsWith('expired') && /^[a-z_]+$/.test(code) && code !== 'expired') return code
  }
  return undefined
}

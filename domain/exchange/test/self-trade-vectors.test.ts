import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { CommandKind, SelfTrade } from '@maru/contracts/commands'
import { OrderStatus } from '../index.ts'
import { Story, coin } from './order-story.ts'

/** The scenarios of Binance's FAQ and of nodejs-order-book, as collected in vectors/self-trade-prevention.json. */
interface Case {
  id: string
  orders: { id: string; side: 'BUY' | 'SELL'; qty: string; price: string; stp: string }[]
  expect: Record<
    string,
    { status?: string; executed?: string; prevented?: string | null; state?: string; remaining?: string; on_book?: boolean }
  >
}

const folder = process.env['MARU_TEST_DATA']
const cases = folder
  ? (JSON.parse(readFileSync(join(folder, 'vectors/self-trade-prevention.json'), 'utf8')) as { cases: Case[] }).cases
  : []

const modes: Record<string, SelfTrade> = {
  NONE: SelfTrade.allow,
  EXPIRE_TAKER: SelfTrade.expireTaker,
  EXPIRE_MAKER: SelfTrade.expireMaker,
  EXPIRE_BOTH: SelfTrade.expireBoth,
  DECREMENT: SelfTrade.decrement,
}
const statuses: Record<number, string> = {
  [OrderStatus.pending]: 'NEW',
  [OrderStatus.partiallyFilled]: 'PARTIALLY_FILLED',
  [OrderStatus.filled]: 'FILLED',
  [OrderStatus.expired]: 'EXPIRED_IN_MATCH',
}

describe.skipIf(cases.length === 0)('the vectors of self-trade prevention (MARU_TEST_DATA)', () => {
  test.each([{ owners: 'one account' }, { owners: 'two accounts of a group' }])('with $owners', ({ owners }) => {
    for (const { id, orders, expect: expected } of cases) {
      const story = new Story(false)
      for (const who of ['ann', 'bob'])
        story.venue.send({
          kind: CommandKind.setAccountControls,
          account: story.accountOf(who),
          tradeGroup: 7,
          feeTier: -1,
          reduceOnly: -1,
          messagesPerSecondMax: -1,
          openOrdersMax: -1,
          actor: 'operator',
        })
      for (const { id: as, side, qty, price, stp } of orders) {
        const who = owners === 'one account' || as.startsWith('m') ? 'ann' : 'bob'
        story.take({
          do: 'place',
          who,
          order: { as, side, quantity: Number(qty), price: Number(price), extras: { selfTrade: modes[stp]! } },
        })
      }
      for (const [name, wanted] of Object.entries(expected)) {
        const view = story.view(name)
        const isOpen = view.status <= OrderStatus.partiallyFilled
        const prevented = (view.details?.prevented ?? 0) / coin
        if (wanted.status !== undefined) {
          expect(`${id} ${name} ${statuses[view.status]} ${view.filled / coin} ${prevented}`).toBe(
            `${id} ${name} ${wanted.status} ${wanted.executed} ${Number(wanted.prevented ?? 0)}`,
          )
        } else {
          expect(`${id} ${name} ${isOpen ? 'open' : 'expired'} ${(view.quantity - view.filled) / coin} ${isOpen}`).toBe(
            `${id} ${name} ${wanted.state} ${wanted.remaining} ${wanted.on_book}`,
          )
        }
      }
    }
  })
})

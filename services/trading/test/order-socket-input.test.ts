import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { errorCatalogue } from '@maru/contracts'
import type { Client } from '../../../test/support/client.ts'
import { Bot } from '../../../test/support/order-bot.ts'
import { startTradingSide, type TradingSide } from '../../../test/support/trading.ts'

/** What a careless or hostile client sends on the trading socket: every field of every request, wrong in every way. */

let side: TradingSide
let alice: Client
let bot: Bot

beforeAll(async () => {
  side = await startTradingSide()
  alice = await side.user('alice')
  bot = await Bot.at(side.service, alice)
}, 60_000)

afterAll(async () => {
  bot.socket.terminate()
  await side[Symbol.asyncDispose]()
})

/** Raw JSON that no field of ours takes. */
const wrongValues: Record<string, string> = {
  null: 'null',
  object: '{}',
  array: '[[]]',
  negative: '-1',
  'negative text': '"-1"',
  NaN: '"NaN"',
  'beyond a double': '1e400',
  '40 decimals': `"0.${'1'.repeat(40)}"`,
  'a long text': `"${'x'.repeat(20_000)}"`,
  'NUL in text': '"a\\u0000b"',
  'deep nesting': '['.repeat(5_000) + ']'.repeat(5_000),
  __proto__: '{"__proto__": {"id": 1}}',
}

const order = { symbol: 'BTC/USDT', side: 'BUY', order_type: 'LIMIT', quantity: '0.001', price: '10000' }
const { symbol: _symbol, ...unplaced } = order
const expiring = { ...order, time_in_force: 'GTD', expires_at: '2099-01-01T00:00:00Z', display_quantity: '0.0005' }
const legs = [unplaced, { side: 'BUY', order_type: 'STOP', quantity: '0.001', stop_price: '90000' }]
const changes = {
  quantity: '0.002',
  price: '9000',
  stop_price: '1',
  trailing_delta: '1%',
  expires_at: '2099-01-01T00:00:00Z',
  display_quantity: '0.001',
}
const id = '00000000001'
const requests: Record<string, Record<string, unknown>> = {
  place: { order: expiring },
  'place a trailing stop': {
    op: 'place',
    order: { ...unplaced, symbol: 'BTC/USDT', order_type: 'TRAILING_STOP', trailing_delta: '5', price: undefined },
  },
  cancel: { order_id: id },
  'cancel by the client’s id': { op: 'cancel', client_order_id: 'mine' },
  amend: { order_id: id, changes },
  replace: { order_id: id, order: unplaced },
  place_list: { list: { type: 'OCO', symbol: 'BTC/USDT', orders: legs, client_list_id: 'mine' } },
  cancel_all: { symbol: 'BTC/USDT' },
  subscribe: { after: 0 },
  set: { cancel_on_disconnect: true },
  authenticate: { token: 'none' },
}

/** Every request with one field, at any depth of objects, replaced by raw JSON; and with one more than there are. */
function* spoiled(value: object, raw: string): Generator<{ field: string; text: string }> {
  const rest = Object.entries(value).filter(([, inner]) => inner !== undefined)
  const write = (at: string, text: string): string =>
    `{${[...rest.filter(([key]) => key !== at).map(([key, inner]) => `"${key}":${JSON.stringify(inner)}`), `"${at}":${text}`].join(',')}}`
  for (const field of [...rest.map(([key]) => key), 'no_such_field', '__proto__']) {
    const inner = (value as Record<string, unknown>)[field]
    yield { field, text: write(field, raw) }
    if (typeof inner !== 'object' || inner === null || Array.isArray(inner)) continue
    for (const deeper of spoiled(inner, raw)) yield { field: `${field}.${deeper.field}`, text: write(field, deeper.text) }
  }
}

describe('each is refused with a code and a field, and the connection goes on', () => {
  test.each(Object.entries(requests))('%s', { timeout: 60_000 }, async (name, fields) => {
    for (const [what, raw] of Object.entries(wrongValues)) {
      for (const { field, text } of spoiled({ op: name, ...fields }, raw)) {
        // An id of the client's may well be such a text.
        if (field.endsWith('client_list_id') && /^"[\w.-]{1,64}"$/.test(raw)) continue
        const request = `${name}: ${field} is ${what}`
        bot.answers.length = 0
        bot.send(`{"id":"asked",${text.slice(1)}`)
        await bot.until(({ answers }) => answers.length > 0)
        const { id: answered, status, error } = bot.answers[0]!
        expect([request, answered, status < 500, error?.code !== undefined && error.code in errorCatalogue]).toEqual([
          request,
          'asked',
          true,
          true,
        ])
        if (status === 400) expect([request, error!.errors?.length ?? 0]).toSatisfy(() => (error!.errors?.length ?? 0) > 0)
      }
    }
    expect(await bot.ask({ id: 'after', op: 'cancel_all' })).toMatchObject({ status: 200, result: { items: [] } })
  })
})

import { createHash } from 'node:crypto'
import { expect, test } from 'vitest'
import { canonicalJson, genesisHash } from '@maru/contracts/account-chain'
import { chainHash } from '../history/chain.ts'

test('canonical JSON has sorted keys, no spaces, and leaves out what is undefined', () => {
  const value = { b: ['1', null, { z: true, a: 'ü"\n' }], a: { y: undefined, x: '2' }, A: 1 }
  expect(canonicalJson(value)).toBe('{"A":1,"a":{"x":"2"},"b":["1",null,{"a":"ü\\"\\n","z":true}]}')
})

test('the order in which a database returns keys does not change the hash', () => {
  const event = { sequence: 3, type: 'funds.moved', timestamp: '2026-01-01T00:00:00.000Z', data: { asset: 'USDT', amount: '5' } }
  const expected = createHash('sha256')
    .update(`${genesisHash}\n3\nfunds.moved\n2026-01-01T00:00:00.000Z\n{"amount":"5","asset":"USDT"}`)
    .digest('hex')
  expect(chainHash(genesisHash, event)).toBe(expected)
  expect(chainHash(genesisHash, { ...event, data: { amount: '5', asset: 'USDT' } })).toBe(expected)
})

test.each([
  ['its number', { sequence: 4 }],
  ['its type', { type: 'order.created' }],
  ['its time', { timestamp: '2026-01-01T00:00:00.001Z' }],
  ['an amount', { data: { asset: 'USDT', amount: '50' } }],
])('changing %s changes the hash', (_, change) => {
  const event = { sequence: 3, type: 'funds.moved', timestamp: '2026-01-01T00:00:00.000Z', data: { asset: 'USDT', amount: '5' } }
  expect(chainHash(genesisHash, { ...event, ...change })).not.toBe(chainHash(genesisHash, event))
})

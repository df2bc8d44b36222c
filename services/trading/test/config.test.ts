import { expect, test } from 'vitest'
import { readTradingConfig } from '../config.ts'

test.each([
  [{ MARU_GRANT_AMOUNT: '-1' }, 'MARU_GRANT_AMOUNT must be a number of USDT from 0 to 90000000, not "-1"'],
  [{ MARU_GRANT_AMOUNT: 'much' }, 'MARU_GRANT_AMOUNT must be'],
  [{ MARU_GRANT_AMOUNT: '90000000.5' }, 'MARU_GRANT_AMOUNT must be'],
  [{ MARU_HOUSE_LIQUIDITY: 'no' }, 'MARU_HOUSE_LIQUIDITY must be one of on, off, not "no"'],
])('%j is refused at the start, not taken for something else', (environment, fault) => {
  expect(() => readTradingConfig(environment)).toThrow(`\n  - ${fault}`)
})

test.each([
  [{}, '100000', true],
  [{ MARU_GRANT_AMOUNT: '0', MARU_HOUSE_LIQUIDITY: 'off' }, '0', false],
  [{ MARU_GRANT_AMOUNT: '250.5', MARU_HOUSE_LIQUIDITY: 'on' }, '250.5', true],
])('%j grants %s, house liquidity %s', (environment, grantAmount, houseLiquidity) => {
  expect(readTradingConfig(environment)).toMatchObject({ grantAmount, houseLiquidity })
})

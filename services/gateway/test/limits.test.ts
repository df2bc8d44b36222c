import { describe, expect, test } from 'vitest'
import { addressGroup } from '../edge/client-address.ts'
import { RateLimiter } from '../edge/rate-limit.ts'
import { traceContext } from '../edge/trace-context.ts'
import { headerList } from '../front/header-text.ts'

describe('a limit with more callers than places', () => {
  const open = () => {
    const clock = { now: 0 }
    return { clock, limiter: new RateLimiter('user', { requestsPerSecond: 1, burst: 3, callersMax: 10 }, () => clock.now) }
  }

  test('a flood of newcomers makes it forget nobody who is being limited', () => {
    const { limiter } = open()
    const known = Array.from({ length: 10 }, (_, at) => `known ${at}`)
    for (const caller of known) for (let count = 0; count < 3; count += 1) expect(limiter.take(caller).allowed).toBe(true)
    let allowed = 0
    for (let at = 0; at < 10_000; at += 1) if (limiter.take(`new ${at}`).allowed) allowed += 1
    // They share one bucket.
    expect(allowed).toBe(3)
    expect(limiter.callers).toBe(10)
    for (const caller of known) expect(limiter.take(caller).allowed).toBe(false)
  })

  test('the place of one whose bucket is full again goes to a newcomer', () => {
    const { clock, limiter } = open()
    for (let at = 0; at < 10; at += 1) limiter.take(`known ${at}`)
    clock.now = 5_000
    for (let at = 0; at < 10; at += 1) expect(limiter.take(`new ${at}`).remaining).toBe(2)
    expect(limiter.callers).toBe(10)
  })

  test('looking takes nothing', () => {
    const { limiter } = open()
    for (let count = 0; count < 5; count += 1) expect(limiter.refusal('a')).toBeUndefined()
    for (let count = 0; count < 3; count += 1) limiter.take('a')
    expect(limiter.refusal('a')).toMatchObject({ allowed: false, retryAfterSeconds: 1 })
  })
})

test.each([
  ['203.0.113.7', '203.0.113.7'],
  ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2'],
  ['2001:db8:1:2::9', '2001:db8:1:2'],
  ['2001:DB8:0001:0002:ffff::', '2001:db8:1:2'],
  ['2001:db8::1', '2001:db8:0:0'],
  ['::1', '0:0:0:0'],
  ['fe80::1%eth0', 'fe80:0:0:0'],
])('%s counts as %s', (address, group) => expect(addressGroup(address)).toBe(group))

describe('the trace context of a request', () => {
  const valid = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'
  const of = (...headers: [string, string][]) =>
    headerList(traceContext({ names: headers.map(([name]) => name), values: headers.map(([, value]) => value) }))

  test('goes on where it is valid, with its state', () => {
    expect(of(['traceparent', valid], ['tracestate', 'a=1'], ['tracestate', 'b=2'])).toEqual([
      'traceparent',
      valid,
      'tracestate',
      'a=1,b=2',
    ])
    expect(of(['traceparent', valid.replace('00-', 'cc-').concat('-more')])).toEqual(['traceparent', valid])
  })

  test.each([
    ['none', []],
    ['short', [['traceparent', '00-1-2-01']]],
    ['of zeros', [['traceparent', `00-${'0'.repeat(32)}-b7ad6b7169203331-01`]]],
    ['in capitals', [['traceparent', valid.toUpperCase()]]],
    ['of no version', [['traceparent', valid.replace('00-', 'ff-')]]],
    ['with more than version 00 has', [['traceparent', `${valid}-x`]]],
    [
      'given twice',
      [
        ['traceparent', valid],
        ['traceparent', valid],
      ],
    ],
  ] as [string, [string, string][]][])('%s is replaced by one of its own, without a state', (_name, headers) => {
    const [first, second] = [of(...headers, ['tracestate', 'a=1']), of(...headers, ['tracestate', 'a=1'])]
    for (const made of [first, second])
      expect(made).toEqual(['traceparent', expect.stringMatching(/^00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-00$/)])
    expect(first).not.toEqual(second)
    expect(first[1]).not.toBe(valid)
  })
})

import { describe, expect, test } from 'vitest'
import { RecentHeads } from '../plain-http/recent-heads.ts'
import { readRequestHead } from '../plain-http/request-head.ts'

const bytesOf = (path: string, more = '') => Buffer.from(`GET ${path} HTTP/1.1\r\nHost: a\r\n${more}\r\n`)
const keep = (heads: RecentHeads, bytes: Buffer) => heads.keep(bytes, readRequestHead(bytes)!)

describe('the heads of a connection', () => {
  test('are known again by all of their bytes, whatever follows', () => {
    const heads = new RecentHeads({ left: 1 })
    expect(keep(heads, bytesOf('/a'))).toBe(true)
    const known = heads.find(bytesOf('/a'))
    expect(known).toEqual(readRequestHead(bytesOf('/a')))
    expect(heads.find(Buffer.concat([bytesOf('/a'), Buffer.from('a body')]))).toBe(known)
    expect(heads.find(bytesOf('/b'))).toBeUndefined()
    expect(heads.find(bytesOf('/a', 'X: 1\r\n'))).toBeUndefined()
    expect(heads.find(bytesOf('/a').subarray(0, -1))).toBeUndefined()
  })

  test('are few: the oldest goes', () => {
    const heads = new RecentHeads({ left: 1 })
    for (const path of ['/a', '/b', '/c']) keep(heads, bytesOf(path))
    expect(['/a', '/b', '/c'].map((path) => heads.find(bytesOf(path))?.target)).toEqual([undefined, '/b', '/c'])
  })

  test('are kept of so many connections; one that ends, or says something new each time, gives its place to another', () => {
    const places = { left: 1 }
    const [first, second] = [new RecentHeads(places), new RecentHeads(places)]
    expect(keep(first, bytesOf('/a'))).toBe(true)
    expect(keep(second, bytesOf('/a'))).toBe(false)
    first.clear()
    first.clear()
    expect(places.left).toBe(1)
    expect(keep(first, bytesOf('/a'))).toBe(false)
    let kept = 0
    while (keep(second, bytesOf(`/${kept}`))) kept += 1
    expect(kept).toBe(16)
    expect(places.left).toBe(1)
    expect(heads(second, kept)).toEqual([])
  })

  test('longer than two kilobytes are read each time', () => {
    const places = { left: 1 }
    expect(keep(new RecentHeads(places), bytesOf('/a', `X: ${'x'.repeat(2_048)}\r\n`))).toBe(false)
    expect(places.left).toBe(1)
  })
})

function heads(of: RecentHeads, count: number): string[] {
  return Array.from({ length: count }, (_, at) => of.find(bytesOf(`/${at}`))?.target).filter((target) => target !== undefined)
}

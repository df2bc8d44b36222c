import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createId } from '../ids.ts'
import { loginKey, normalEmail, normalUsername } from '../profile-management/names.ts'

describe('e-mail addresses', () => {
  test.each([
    ['plain', 'ann@example.com', 'ann@example.com'],
    ['capitals', 'Ann@Example.COM', 'ann@example.com'],
    ['plus and dots', 'a.b+c@mail.example.co.kr', 'a.b+c@mail.example.co.kr'],
    ['full-width letters', 'ａｎｎ@example.com', 'ann@example.com'],
    ['the Kelvin sign', '\u212aelvin@example.com', 'kelvin@example.com'],
    ['blanks around', ' ann@example.com ', 'ann@example.com'],
  ])('given %s, then compared as expected', (_name, given, key) => {
    expect(normalEmail(given)?.key).toBe(key)
  })

  test.each([
    ['no at', 'ann.example.com'],
    ['two ats', 'a@b@example.com'],
    ['a line break', 'ann@example.com\r\nBcc: all@example.com'],
    ['a list', 'a@example.com,b@example.com'],
    ['a display name', 'Ann <ann@example.com>'],
    ['a quoted local part', '"ann smith"@example.com'],
    ['Cyrillic letters', 'аnn@example.com'],
    ['a blank within', 'an n@example.com'],
    ['NUL', 'ann\u0000@example.com'],
    ['a dot at the end', 'ann.@example.com'],
    ['double dots', 'a..b@example.com'],
    ['a dash at the start of the host', 'ann@-example.com'],
    ['no host', 'ann@'],
    ['255 characters', `${'a'.repeat(64)}@${'b'.repeat(60)}.${'c'.repeat(60)}.${'d'.repeat(60)}.${'e'.repeat(10)}`],
  ])('given %s, then refused', (_name, given) => {
    expect(normalEmail(given)).toBeUndefined()
  })
})

describe('user names', () => {
  test.each([
    ['plain', 'ann_smith-1.x', 'ann_smith-1.x'],
    ['capitals', 'AnnSmith', 'annsmith'],
    ['Korean', '홍길동', '홍길동'],
    ['two syllables', '길동', '길동'],
    ['decomposed Korean', '홍길동'.normalize('NFD'), '홍길동'],
    ['Korean and Latin', '길동kim', '길동kim'],
    ['Cyrillic alone', 'Иван', 'иван'],
    ['full-width', 'Ａｎｎ１', 'ann1'],
  ])('given %s, then compared as expected', (_name, given, key) => {
    expect(normalUsername(given)?.key).toBe(key)
  })

  test.each([
    ['one character', 'a'],
    ['33 characters', 'a'.repeat(33)],
    ['a system name', 'system-liquidity'],
    ['a system name in capitals', 'SYSTEM-x'],
    ['a full-width system name', 'ｓｙｓｔｅｍ-x'],
    ['a system name with a full-width dash', 'system－x'],
    ['Cyrillic among Latin', 'аdmin'],
    ['a zero-width space', 'ad\u200bmin'],
    ['right-to-left override', 'ann\u202enimda'],
    ['an at', 'ann@home'],
    ['a blank', 'ann smith'],
    ['markup', '<b>ann</b>'],
    ['SQL', `x'; drop table users; --`],
    ['an emoji', 'ann😀'],
    ['a lone surrogate', 'ann\ud800'],
    ['NUL', 'ann\u0000'],
    ['a line break', 'ann\nsmith'],
    ['only dots', '...'],
  ])('given %s, then refused', (_name, given) => {
    expect(normalUsername(given)).toBeUndefined()
  })

  test('whatever is accepted is its own normal form and finds itself as a login', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', minLength: 3, maxLength: 32 }), (text) => {
        const name = normalUsername(text)
        if (!name) return
        expect(normalUsername(name.shown)).toEqual(name)
        expect(normalUsername(name.key)?.key).toBe(name.key)
        expect(loginKey(text)).toEqual({ column: 'username_key', key: name.key })
      }),
    )
  })
})

test('ids grow, whatever the clock does', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 2 ** 47 }), { minLength: 2, maxLength: 50 }), (clock) => {
      const ids = clock.map((nowMs) => createId(nowMs))
      expect(ids).toEqual([...ids].sort())
      expect(new Set(ids).size).toBe(ids.length)
      for (const id of ids) expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
    }),
  )
  const burst = Array.from({ length: 10_000 }, () => createId())
  expect(burst).toEqual([...burst].sort())
})

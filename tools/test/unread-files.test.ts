import { describe, expect, test } from 'vitest'
import { unreadFiles } from '../gates/architecture.ts'

describe('the architecture gate notices what was not read', () => {
  const files = ['contracts/errors.ts', 'domain/money/index.ts', 'vitest.config.ts']

  test('given every file in a folder was read, then nothing is at fault', () => {
    expect(unreadFiles(files, ['contracts/errors.ts', 'domain/money/index.ts', 'node_modules/pg/lib/index.js'])).toEqual([])
  })

  test('given nothing was read, then it says so', () => {
    expect(unreadFiles(files, [])[0]).toContain('read 1 of 3 modules')
  })
})

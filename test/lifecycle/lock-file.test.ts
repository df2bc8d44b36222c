import { execFileSync } from 'node:child_process'
import path from 'node:path'
import { expect, test } from 'vitest'

test('package-lock.json names every optional package of every platform, as npm ci demands', () => {
  const script = path.resolve(import.meta.dirname, '../../.ci/complete-lock.mjs')
  expect(execFileSync(process.execPath, [script, '--check'], { encoding: 'utf8' })).toBe('0 added\n')
})

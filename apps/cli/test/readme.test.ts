import { existsSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { describe, expect, test } from 'vitest'
import { knownSettings, servicePlans } from '../supervisor/platform.ts'

const root = path.resolve(import.meta.dirname, '../../..')
const english = readFileSync(path.join(root, 'README.md'), 'utf8')
const korean = readFileSync(path.join(root, 'README.ko.md'), 'utf8')
const scripts = (JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8')) as { scripts: Record<string, string> }).scripts

function codeBlocks(text: string): string[] {
  return [...text.matchAll(/^```\w*\n([\s\S]*?)^```$/gm)].map((found) => found[1] as string)
}

test('both languages have the same commands and the same picture', () => {
  expect(codeBlocks(english).length).toBeGreaterThan(10)
  expect(codeBlocks(korean)).toEqual(codeBlocks(english))
})

describe.each([
  ['README.md', english],
  ['README.ko.md', korean],
])('%s', (_, text) => {
  test('names only settings, commands, services and files that exist', () => {
    const settings = [...text.matchAll(/`(MARU_[A-Z_]+|SMTP_URL|DATABASE_URL)`/g)].map((found) => found[1] as string)
    expect(settings.length).toBeGreaterThan(5)
    expect(settings.filter((name) => !knownSettings.has(name))).toEqual([])

    const commands = [...text.matchAll(/npm run ([\w:]+)/g)].map((found) => found[1] as string)
    expect(commands.filter((name) => scripts[name] === undefined)).toEqual([])

    const links = [...text.matchAll(/\]\(([^)#:]+)\)/g)].map((found) => found[1] as string)
    const folders = [...text.matchAll(/^\| (`[\w/-]+\/`(?: `[\w/-]+\/`)*) \|/gm)].flatMap((row) =>
      [...(row[1] as string).matchAll(/`([^`]+)`/g)].map((found) => found[1] as string),
    )
    expect(folders.length).toBeGreaterThan(6)
    expect([...links, ...folders].filter((name) => !existsSync(path.join(root, name)))).toEqual([])

    for (const { name } of servicePlans) expect(text).toContain(name)
  })
})

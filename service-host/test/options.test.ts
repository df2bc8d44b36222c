import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'

let folder: string

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'maru-options-'))
  const options = pathToFileURL(path.resolve(import.meta.dirname, '../options.ts')).href
  await writeFile(
    path.join(folder, 'program.mjs'),
    `import { readOptions } from '${options}'
    console.log(JSON.stringify(readOptions('usage: program [--runs 5]', { runs: { type: 'string', default: '5' } })))`,
  )
})

afterAll(() => rm(folder, { recursive: true }))

/** A program that reads options, as a process of its own. */
function run(...args: string[]): Promise<{ code: number; out: string; error: string }> {
  return new Promise((resolve) =>
    execFile(process.execPath, [path.join(folder, 'program.mjs'), ...args], (error, out, said) =>
      resolve({ code: error ? Number(error.code) : 0, out, error: said }),
    ),
  )
}

test('options are read, or have their defaults', async () => {
  expect(await run()).toEqual({ code: 0, out: '{"runs":"5"}\n', error: '' })
  expect(await run('--runs', '7')).toEqual({ code: 0, out: '{"runs":"7"}\n', error: '' })
})

test('--help prints the usage', async () => {
  expect(await run('--help')).toEqual({ code: 0, out: 'usage: program [--runs 5]\n', error: '' })
})

test.each([['--walks', '3'], ['--runs'], ['more']])('%s is refused in a line, with the usage and no stack trace', async (...args) => {
  const { code, out, error } = await run(...args)
  expect({ code, out }).toEqual({ code: 2, out: '' })
  expect(error).toContain('usage: program [--runs 5]\n')
  expect(error).not.toContain('    at ')
})

import { execFile } from 'node:child_process'
import { mkdir, rename, rm } from 'node:fs/promises'
import path from 'node:path'
import { promisify } from 'node:util'
import { collectorProgram, isBuilt } from './program.ts'

// `node test/monitoring/collector/build.ts`: builds the collector for its tests, into node_modules/.cache, where it is not there yet. Needs Go 1.25 and its modules.

const run = promisify(execFile)
const withinMs = 200_000

if (isBuilt()) console.log(`it is there already: ${collectorProgram}`)
else {
  const fresh = `${collectorProgram}.${process.pid}`
  await mkdir(path.dirname(fresh), { recursive: true })
  const startedMs = performance.now()
  try {
    await run('go', ['build', '-mod=readonly', '-trimpath', '-buildvcs=false', '-ldflags=-s -w', '-o', fresh, '.'], {
      cwd: import.meta.dirname,
      // What is here is used: no other toolchain is fetched.
      env: { ...process.env, GOTOOLCHAIN: 'local', GOFLAGS: '' },
      timeout: withinMs,
    })
    await rename(fresh, collectorProgram)
    console.log(`built in ${Math.round((performance.now() - startedMs) / 1_000)} s: ${collectorProgram}`)
  } catch (error) {
    await rm(fresh, { force: true })
    const { code, killed, stderr = '', message } = error as Error & { code?: unknown; killed?: boolean; stderr?: string }
    const last = stderr.trim().split('\n').at(-1) || message
    console.log(`not built: ${code === 'ENOENT' ? 'there is no go here' : killed ? `not done within ${withinMs / 1_000} s` : last}`)
    process.exitCode = 1
  }
}

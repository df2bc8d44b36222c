import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'
import LongFirst from './test/support/long-first.ts'

// Compiled code is kept where `maru start` keeps it: a service starts in half the time, and tests start hundreds of them.
process.env['NODE_COMPILE_CACHE'] ??= fileURLToPath(new URL('node_modules/.cache/maru', import.meta.url))

export default defineConfig({
  test: {
    include: ['**/*.test.ts'],
    exclude: ['**/node_modules/**', '**/.maru/**', 'tools/fixtures/**'],
    // Processes, not threads: tests start and kill processes of their own, and a broken one takes nobody with it.
    pool: 'forks',
    // Much of their time tests wait for processes, timers and disks: one more than the two cores that are the least.
    maxWorkers: 3,
    sequence: { sequencer: LongFirst },
    // Bounds that only a fault reaches, however busy the machine is; that of a test is the longer, so that what was awaited in vain is named.
    expect: { poll: { timeout: 20_000 } },
    testTimeout: 60_000,
    hookTimeout: 60_000,
    teardownTimeout: 20_000,
    allowOnly: false,
    globalSetup: ['test/support/postgres-global.ts'],
  },
})

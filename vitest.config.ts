import { defineConfig } from 'vitest/config'
import LongFirst from './test/support/long-first.ts'

export default defineConfig({
  test: {
    include: ['**/*.test.ts'],
    exclude: ['**/node_modules/**', '**/.maru/**', 'tools/fixtures/**'],
    // Processes, not threads: tests start and kill processes of their own, and a broken one takes nobody with it.
    pool: 'forks',
    // Much of their time tests wait for processes, timers and disks: one more than the two cores that are the least.
    maxWorkers: 3,
    sequence: { sequencer: LongFirst },
    testTimeout: 30_000,
    hookTimeout: 60_000,
    teardownTimeout: 20_000,
    allowOnly: false,
    globalSetup: ['test/support/postgres-global.ts'],
  },
})

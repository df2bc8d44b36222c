#!/usr/bin/env node
import module from 'node:module'
import { fileURLToPath } from 'node:url'

// Plain JavaScript, so that a Node too old to run TypeScript can still say what is wrong.
const [major = 0] = process.versions.node.split('.').map(Number)
if (major < 24) {
  process.stderr.write(
    `Maru needs Node 24 or newer and this is ${process.version}: run it as "npm start" after "npm ci", which brings its own Node.\n`,
  )
  process.exitCode = 1
} else {
  // Compiled code is kept between starts: half of a start would go into compiling.
  module.enableCompileCache(fileURLToPath(new URL('../../node_modules/.cache/maru', import.meta.url)))
  await import('./main.ts')
}

/** Child process of the architecture gate: `node cruise.ts FOLDER` prints what dependency-cruiser saw there as JSON. */
import './typescript6.ts'
import { readdirSync } from 'node:fs'
import { allowedExtensions, forbidden } from '../.dependency-cruiser.ts'

const root = process.argv[2]
if (root === undefined) throw new Error('give the folder to read')
const skipped = /^(node_modules|\..*|coverage|docs|deploy)$/
const entries = readdirSync(root, { withFileTypes: true })
const folders = entries.filter((entry) => entry.isDirectory() && !skipped.test(entry.name)).map((entry) => entry.name)

// Loaded after the hook above stands.
const { cruise } = await import('dependency-cruiser')
process.chdir(root)
const { output } = await cruise(folders, {
  baseDir: root,
  validate: true,
  ruleSet: { forbidden },
  tsPreCompilationDeps: true,
  doNotFollow: { path: 'node_modules' },
  exclude: { path: '(^|/)(node_modules/.*/node_modules|dist|fixtures|results)/' },
  enhancedResolveOptions: {
    exportsFields: ['exports'],
    conditionNames: ['import', 'node', 'default', 'types'],
    extensions: allowedExtensions,
  },
})
if (typeof output === 'string') throw new Error('dependency-cruiser gave text instead of its result')
const sources = output.modules.map((module) => module.source)
const violations = output.summary.violations.map(({ rule, from, to, cycle }) => ({
  rule: rule.name,
  from,
  to,
  cycle: cycle?.map(({ name }) => name),
}))
process.stdout.write(JSON.stringify({ sources, violations }))

import { createHash } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import path from 'node:path'

const sources = ['main.go', 'go.mod', 'go.sum'].map((name) => readFileSync(path.join(import.meta.dirname, name)))
const edition = createHash('sha256').update(Buffer.concat(sources)).digest('hex').slice(0, 12)

/** Where the collector of just these sources is built; by ./build.ts, before the tests and not by them, as it takes minutes the first time. */
export const collectorProgram = path.resolve(
  import.meta.dirname,
  `../../../node_modules/.cache/otel-collector/${edition}-${process.platform}-${process.arch}/collector${process.platform === 'win32' ? '.exe' : ''}`,
)

export function isBuilt(): boolean {
  return existsSync(collectorProgram)
}

/** Why there is no collector to send traces to; undefined where there is one. */
export function withoutCollector(): string | undefined {
  return isBuilt() ? undefined : 'no OpenTelemetry collector is built here (it takes Go: node test/monitoring/collector/build.ts)'
}

import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { eventually } from '../../support/client.ts'
import { freePort } from '../../support/platform.ts'
import { collectorProgram } from './program.ts'

/** A real OpenTelemetry collector that takes spans at `url` and hands them on. */
export interface Collector extends AsyncDisposable {
  readonly url: string
  /** What it has said. */
  output(): string
  kill(): Promise<void>
  /** Starts it again, at the same address. */
  start(): Promise<void>
}

/** @param target the address of an OTLP receiver; it takes what the collector has understood, as the collector says it */
export async function startCollector(target: string): Promise<Collector> {
  const folder = await mkdtemp(path.join(tmpdir(), 'maru-collector-'))
  const url = `http://127.0.0.1:${await freePort()}`
  const config = {
    receivers: { otlp: { protocols: { http: { endpoint: new URL(url).host } } } },
    // No queue: what it has answered well is there.
    exporters: { otlp_http: { endpoint: target, encoding: 'json', compression: 'none', sending_queue: { enabled: false } } },
    service: {
      telemetry: { metrics: { level: 'none' } },
      pipelines: { traces: { receivers: ['otlp'], exporters: ['otlp_http'] } },
    },
  }
  // JSON is YAML.
  await writeFile(path.join(folder, 'config.yaml'), JSON.stringify(config))
  let child: ChildProcess
  let output = ''
  const collector: Collector = {
    url,
    output: () => output,
    async start() {
      child = spawn(collectorProgram, ['--config', path.join(folder, 'config.yaml')], { stdio: ['ignore', 'ignore', 'pipe'] })
      child.stderr?.on('data', (chunk: Buffer) => (output += chunk.toString('utf8')))
      const empty = { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{}' }
      const hasEnded = (): boolean => child.exitCode !== null || child.signalCode !== null
      const answers = (): Promise<boolean> =>
        fetch(`${url}/v1/traces`, empty).then(
          ({ ok }) => ok,
          () => false,
        )
      await eventually(async () => hasEnded() || (await answers()), Boolean)
      if (hasEnded()) throw new Error(`the collector has ended:\n${output}`)
    },
    async kill() {
      if (child.exitCode !== null || child.signalCode !== null) return
      const ended = once(child, 'exit')
      child.kill('SIGKILL')
      await ended
    },
    async [Symbol.asyncDispose]() {
      await collector.kill()
      await rm(folder, { recursive: true, force: true })
    },
  }
  try {
    await collector.start()
    return collector
  } catch (error) {
    await collector[Symbol.asyncDispose]()
    throw error
  }
}

import { execFileSync, spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { freePort } from '../support/platform.ts'

export const monitoringFolder = path.resolve(import.meta.dirname, '../../deploy/monitoring')

/** Why there is no Prometheus to try the rules with; undefined where there is one. */
export function withoutPrometheus(): string | undefined {
  try {
    for (const program of ['prometheus', 'promtool']) execFileSync(program, ['--version'], { stdio: 'ignore' })
    return undefined
  } catch {
    return 'prometheus and promtool are not on the path (Debian: apt-get install prometheus)'
  }
}

interface Answer<Data> {
  status: 'success' | 'error'
  error?: string
  data: Data
}

/** A real Prometheus with the rules of deploy/monitoring, everything in it as often as several times a second. */
export interface Prometheus extends AsyncDisposable {
  ask<Data>(api: string, query?: Record<string, string>): Promise<Answer<Data>>
  /** Names of the alerts that fire, each with its labels. */
  firing(): Promise<{ name: string; labels: Record<string, string> }[]>
  output(): string
}

export async function startPrometheus(targetsFile: string): Promise<Prometheus> {
  const folder = await mkdtemp(path.join(tmpdir(), 'maru-prometheus-'))
  await cp(path.join(monitoringFolder, 'rules'), path.join(folder, 'rules'), { recursive: true })
  // The conditions stay as they are; only how long they must hold is cut short.
  const alerts = path.join(folder, 'rules/alerts.yml')
  await writeFile(alerts, (await readFile(alerts, 'utf8')).replaceAll(/ for: \S+/g, ' for: 1s'))
  const config = (await readFile(path.join(monitoringFolder, 'prometheus.yml'), 'utf8'))
    .replace(/scrape_interval: \S+/, 'scrape_interval: 700ms')
    .replace(/scrape_timeout: \S+/, 'scrape_timeout: 700ms')
    .replace(/evaluation_interval: \S+/, 'evaluation_interval: 500ms')
    .replace(/files: \[.*\]/, `files: [${JSON.stringify(targetsFile)}]`)
  await writeFile(path.join(folder, 'prometheus.yml'), config)
  const port = await freePort()
  const child: ChildProcess = spawn(
    'prometheus',
    [`--config.file=${folder}/prometheus.yml`, `--storage.tsdb.path=${folder}/data`, `--web.listen-address=127.0.0.1:${port}`],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  )
  let output = ''
  child.stderr?.on('data', (chunk: Buffer) => (output += chunk.toString('utf8')))
  const ended = once(child, 'exit')
  const ask: Prometheus['ask'] = async (api, query = {}) => {
    const answer = await fetch(`http://127.0.0.1:${port}/api/v1/${api}?${new URLSearchParams(query).toString()}`)
    return (await answer.json()) as never
  }
  return {
    ask,
    async firing() {
      const { data } = await ask<{ alerts: { state: string; labels: Record<string, string> }[] }>('alerts')
      return data.alerts.filter(({ state }) => state === 'firing').map(({ labels }) => ({ name: labels['alertname'] ?? '', labels }))
    },
    output: () => output,
    async [Symbol.asyncDispose]() {
      if (child.exitCode === null && child.signalCode === null) {
        child.kill('SIGKILL')
        await ended
      }
      await rm(folder, { recursive: true, force: true })
    },
  }
}

import { execFileSync } from 'node:child_process'
import { glob, readFile } from 'node:fs/promises'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startPlatform, type Platform } from '../support/platform.ts'
import { monitoringFolder, startPrometheus, withoutPrometheus } from './prometheus.ts'

/** The rules and dashboards of deploy/monitoring against the metrics of a platform that runs. */

interface Target {
  targets: string[]
  labels: { job: string }
}

let platform: Platform
const targets = async (): Promise<Target[]> =>
  JSON.parse(await readFile(path.join(platform.home, 'prometheus/targets.json'), 'utf8')) as Target[]
const jobs = async (): Promise<string[]> => (await targets()).map(({ labels }) => labels.job)

const expectedJobs = ['analytics', 'gateway', 'market-data', 'notification', 'supervisor', 'trading', 'user'].map((name) => `maru-${name}`)

beforeAll(async () => {
  // A mail server that is not there: enough for its metrics to be.
  platform = await startPlatform({ env: { SMTP_URL: 'smtp://127.0.0.1:9' } })
}, 120_000)

afterAll(() => platform[Symbol.asyncDispose]())

/** Expressions of rules and dashboards, by where they stand. */
async function expressions(): Promise<{ at: string; text: string }[]> {
  const found: { at: string; text: string }[] = []
  for (const file of ['objectives.yml', 'alerts.yml']) {
    const text = await readFile(path.join(monitoringFolder, 'rules', file), 'utf8')
    const blocks = text.matchAll(/- (?:alert|record): (\S+)\n\s+expr: (\|\n(?: {10}.*\n)+|.*\n)/g)
    for (const [, name = '', expression = ''] of blocks) found.push({ at: `${file}: ${name}`, text: expression.replace(/^\|\n/, '') })
  }
  for await (const file of glob(path.join(monitoringFolder, 'grafana/dashboards/*.json'))) {
    const dashboard = JSON.parse(await readFile(file, 'utf8')) as { panels: { title: string; targets: { expr: string }[] }[] }
    for (const { title, targets: shown } of dashboard.panels)
      for (const { expr } of shown) found.push({ at: `${path.basename(file)}: ${title}`, text: expr.replaceAll('$__rate_interval', '1m') })
  }
  return found
}

test('the list of targets names every process, and each shows its metrics', async () => {
  expect(await jobs()).toEqual(expectedJobs)
  const named = new Set<string>(['up', 'ALERTS'])
  for (const { targets: hosts } of await targets()) {
    for (const host of hosts) {
      const answer = await fetch(`http://${host}/metrics`)
      expect(answer.status).toBe(200)
      for (const [, name = '', type] of (await answer.text()).matchAll(/^# TYPE (\S+) (\S+)$/gm))
        for (const suffix of type === 'histogram' || type === 'summary' ? ['_bucket', '_sum', '_count'] : ['']) named.add(name + suffix)
    }
  }
  const all = await expressions()
  for (const { at } of all) if (at.startsWith('objectives.yml')) named.add(at.split(': ')[1]!)
  expect(all.length).toBeGreaterThan(80)
  const unknown = all.flatMap(({ at, text }) =>
    [...text.matchAll(/\b(?:maru:[a-z_0-9:]+|(?:maru|nodejs|process)_[a-z_0-9]+|up|ALERTS)\b/g)]
      .map(([name]) => name)
      .filter((name) => !named.has(name))
      .map((name) => `${at}: ${name}`),
  )
  expect(unknown).toEqual([])
})

test('every alert has its place in the runbook', async () => {
  const rules = await readFile(path.join(monitoringFolder, 'rules/alerts.yml'), 'utf8')
  const runbook = await readFile(path.resolve(monitoringFolder, '../../docs/monitoring.md'), 'utf8')
  const alerts = [...rules.matchAll(/- alert: (\S+)/g)].map(([, name]) => name!)
  expect(alerts.length).toBeGreaterThan(15)
  expect(alerts.filter((name) => !runbook.includes(`### ${name}\n`))).toEqual([])
  expect(alerts.filter((name) => !rules.includes(`docs/monitoring.md#${name.toLowerCase()}\n`))).toEqual([])
})

const missing = withoutPrometheus()

describe.skipIf(missing !== undefined)(`with a real Prometheus${missing === undefined ? '' : ` (${missing})`}`, () => {
  test('promtool: the rules are right, and their own tests hold', () => {
    const rules = path.join(monitoringFolder, 'rules')
    execFileSync('promtool', ['check', 'rules', path.join(rules, 'objectives.yml'), path.join(rules, 'alerts.yml')])
    execFileSync('promtool', ['test', 'rules', path.join(rules, 'tests.yml')])
  })

  test('it scrapes all, evaluates all, and alerts when a service hangs, until it is back', async () => {
    await using prometheus = await startPrometheus(path.join(platform.home, 'prometheus/targets.json'))
    const up = async (): Promise<string[]> => {
      const answer = await prometheus
        .ask<{ result: { metric: { job: string } }[] }>('query', { query: 'up == 1' })
        .catch(() => ({ data: { result: [] as { metric: { job: string } }[] } }))
      return answer.data.result.map(({ metric }) => metric.job).sort()
    }
    await expect.poll(up, { timeout: 20_000 }).toEqual(expectedJobs)
    for (const { at, text } of await expressions()) {
      const { status, error } = await prometheus.ask('query', { query: text })
      expect({ at, status, error }).toEqual({ at, status: 'success' })
    }

    const { pid } = (await platform.services()).find(({ service }) => service === 'analytics')!
    process.kill(pid, 'SIGSTOP')
    try {
      const firing = async (): Promise<string[]> => {
        // What clients see of it: the budget of errors burns.
        await fetch(`${platform.url}/api/analytics/exposure`, { signal: AbortSignal.timeout(300) }).catch(() => undefined)
        const alerts = await prometheus.firing()
        return alerts.map(({ name, labels }) => `${name} ${labels['job'] ?? labels['service'] ?? ''}`)
      }
      await expect.poll(firing, { timeout: 25_000, interval: 200 }).toContain('MaruServiceUnavailable analytics')
    } finally {
      try {
        process.kill(pid, 'SIGCONT')
      } catch {
        // The supervisor has replaced it.
      }
    }
    await expect
      .poll(async () => (await prometheus.firing()).map(({ name }) => name), { timeout: 20_000 })
      .not.toContain('MaruServiceUnavailable')
    const { data } = await prometheus.ask<{ groups: { rules: { health: string; name: string; lastError?: string }[] }[] }>('rules')
    expect(data.groups.flatMap(({ rules }) => rules).filter(({ health }) => health !== 'ok')).toEqual([])
  }, 90_000)
})

test('what ends leaves the list, and who comes back stands in it anew', async () => {
  const before = (await targets()).find(({ labels }) => labels.job === 'maru-analytics')?.targets[0]
  const { pid } = (await platform.services()).find(({ service }) => service === 'analytics')!
  process.kill(pid, 'SIGKILL')
  const now = async (): Promise<string | undefined> => (await targets()).find(({ labels }) => labels.job === 'maru-analytics')?.targets[0]
  await expect.poll(now, { timeout: 20_000 }).not.toBe(before)
  await expect.poll(now, { timeout: 20_000 }).toBeDefined()
  const supervisor = (await targets()).find(({ labels }) => labels.job === 'maru-supervisor')!.targets[0]
  const text = await (await fetch(`http://${supervisor}/metrics`)).text()
  expect(text).toMatch(/maru_supervisor_restarts_total\{service="analytics"\} [1-9]/)
})

import { startBenchDatabase, startBenchProcess, freePort } from './bench-processes.ts'
import { orderText, startBenchGateway, untilRouted } from './gateway.ts'
import { httpLoad, jsonRequest } from './http-load.ts'
import { cpuMicroseconds } from './process-cpu.ts'
import { processTree } from './process-memory.ts'
import { startNginx } from './proxies/nginx.ts'
import { benchRow, median, type BenchRow } from './report.ts'

const connections = 64
const rounds = 7
const warmupMs = 500
const durationMs = 1_500

/**
 * CPU a request in the proxy process, of our gateway and of others before the same JSON echo, in turns. Ours checks, counts and routes besides. To a service of the platform
 * it speaks on a trunk, to any other by HTTP; so there is one of each behind it, and only HTTP behind the others.
 */
export async function run(): Promise<BenchRow[]> {
  await using database = await startBenchDatabase()
  await using echo = await startBenchProcess('bench/echo-server.ts', { DATABASE_URL: database.urls.trading })
  await using gateway = await startBenchGateway(database)
  await using _service = await startBenchProcess('bench/echo-service.ts', { DATABASE_URL: database.urls.analytics })
  const path = '/api/trading/echo'
  const trunkPath = '/api/analytics/echo'
  await untilRouted(gateway.url, path)
  await untilRouted(gateway.url, trunkPath)
  await using undici = await startBenchProcess('bench/proxies/undici.ts', { UPSTREAM_URL: echo.url })
  await using fastify = await startBenchProcess('bench/proxies/fastify.ts', { UPSTREAM_URL: echo.url })
  await using nginx = await startNginx(echo.url, await freePort())
  const sides = [
    { name: 'gateway', url: gateway.url, path: trunkPath, pid: gateway.pid },
    { name: 'gateway by HTTP', url: gateway.url, path, pid: gateway.pid },
    { name: 'undici dispatch on node:http', url: undici.url, path: '/echo', pid: undici.pid },
    { name: '@fastify/http-proxy', url: fastify.url, path: '/echo', pid: fastify.pid },
    ...(nginx ? [{ name: 'nginx', url: nginx.url, path: '/echo', pid: nginx.pid }] : []),
  ]
  const costs = new Map(sides.map(({ name }) => [name, [] as number[]]))
  for (let round = 0; round < rounds; round += 1) for (const side of sides) costs.get(side.name)!.push(await costOf(side))

  const cost = (name: string): number => median(costs.get(name)!)
  const row = (ours: string, baseline: string, bound?: number): BenchRow =>
    benchRow({
      name: `${ours}, hop beside ${baseline}`,
      unit: 'µs of CPU a request',
      value: cost(ours),
      baseline: { name: baseline, value: cost(baseline) },
      ...(bound === undefined ? {} : { target: { of: 'ratio', is: 'at most', bound } }),
    })
  const baselines: [string, number][] = [
    ['undici dispatch on node:http', 0.6],
    ['@fastify/http-proxy', 0.2],
  ]
  if (nginx) baselines.unshift(['nginx', 2])
  // By HTTP go what instances of older releases are asked, and what is not plain; it is shown beside.
  const rows = [
    ...baselines.map(([baseline, bound]) => row('gateway', baseline, bound)),
    ...baselines.map(([baseline]) => row('gateway by HTTP', baseline)),
  ]
  if (!nginx) process.stderr.write('hop: nginx is not installed here, so that comparison is left out\n')
  return rows
}

async function costOf({ name, url, path, pid }: { name: string; url: string; path: string; pid: number }): Promise<number> {
  const request = jsonRequest(url, path, orderText)
  await httpLoad({ url, connections, warmupMs: 0, durationMs: warmupMs, request: () => request })
  const pids = processTree(pid)
  const before = cpuMicroseconds(pids)
  const { statuses } = await httpLoad({ url, connections, warmupMs: 0, durationMs, request: () => request })
  const used = cpuMicroseconds(pids) - before
  if (Object.keys(statuses).join() !== '200') throw new Error(`${name} answered with ${JSON.stringify(statuses)}`)
  return used / statuses[200]!
}

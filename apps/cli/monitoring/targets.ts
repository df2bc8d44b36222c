import { mkdirSync, renameSync, writeFileSync } from 'node:fs'
import path from 'node:path'

/** One process that Prometheus can ask, as the supervisor knows it. */
export interface ScrapedProcess {
  service: string
  /** Where `/metrics` is; undefined while it takes no requests. */
  metricsUrl: string | undefined
}

const lookEveryMs = 250

/**
 * Keeps `MARU_HOME/prometheus/targets.json` true for Prometheus' `file_sd_configs`: the processes that run now, each with its service as the job `maru-SERVICE`. The
 * file is replaced as a whole, so that no reader sees a part. Disposed, it lists nothing.
 */
export class ScrapeTargets implements Disposable {
  readonly file: string
  readonly #list: () => readonly ScrapedProcess[]
  readonly #onFault: (error: Error) => void
  readonly #looking: NodeJS.Timeout
  #written = ''

  constructor(home: string, list: () => readonly ScrapedProcess[], onFault: (error: Error) => void) {
    this.file = path.join(home, 'prometheus', 'targets.json')
    this.#list = list
    this.#onFault = onFault
    this.update()
    this.#looking = setInterval(() => this.update(), lookEveryMs)
  }

  /** Makes the list true now, for who is about to say that all of it is there. */
  update(): void {
    this.#write(this.#list())
  }

  [Symbol.dispose](): void {
    clearInterval(this.#looking)
    this.#write([])
  }

  #write(processes: readonly ScrapedProcess[]): void {
    const text = targetsText(processes)
    if (text === this.#written) return
    try {
      mkdirSync(path.dirname(this.file), { recursive: true, mode: 0o755 })
      // Readable by the user Prometheus runs as; it holds nothing secret.
      writeFileSync(`${this.file}.new`, text, { mode: 0o644 })
      renameSync(`${this.file}.new`, this.file)
      this.#written = text
    } catch (error) {
      this.#onFault(error as Error)
      // Said once; the next change tries again.
      this.#written = text
    }
  }
}

function targetsText(processes: readonly ScrapedProcess[]): string {
  const groups = new Map<string, string[]>()
  for (const { service, metricsUrl } of processes) {
    if (metricsUrl === undefined) continue
    const known = groups.get(service)
    const { host } = new URL(metricsUrl)
    if (known) known.push(host)
    else groups.set(service, [host])
  }
  const list = [...groups]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([service, targets]) => ({ targets: targets.sort(), labels: { job: `maru-${service}` } }))
  return `${JSON.stringify(list, null, 2)}\n`
}

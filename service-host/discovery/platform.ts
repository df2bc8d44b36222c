import { DiscoveryError, type Announcement, type Discovery, type Instance, type Load, type OwnInstance } from './port.ts'
import { checkedAnnouncement } from './shape.ts'
import type { LiveView } from './view.ts'

/** Discovery where the platform keeps the list of instances and announcing is its affair, not ours. */
export class PlatformDiscovery implements Discovery {
  readonly noticeMs: number
  readonly #view: LiveView
  readonly #close: () => Promise<void>
  #closed: Promise<void> | undefined

  constructor(options: { view: LiveView; noticeMs: number; close: () => Promise<void> }) {
    this.#view = options.view
    this.noticeMs = options.noticeMs
    this.#close = options.close
  }

  async announce(instance: OwnInstance): Promise<Announcement> {
    if (this.#closed) throw new DiscoveryError('closed', 'Discovery is closed.')
    checkedAnnouncement(instance)
    return { setState: () => Promise.resolve(), withdraw: () => Promise.resolve() }
  }

  instances(service?: string): Promise<Instance[]> {
    return Promise.resolve(this.#view.of(service))
  }

  watch(onChange: (instances: Instance[]) => void, signal: AbortSignal): void {
    this.#view.watch(onChange, signal)
  }

  loadOf(id: string): Load | undefined {
    return this.#view.loadOf(id)
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#view.unwatchAll()
    return (this.#closed ??= this.#close())
  }
}

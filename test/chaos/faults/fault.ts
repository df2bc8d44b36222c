import type { ChaosPlatform, Service } from '../platform.ts'

export type FaultKind = 'kill' | 'pause' | 'network' | 'disk' | 'database' | 'deploy' | 'kill within a change'

/** What a fault says of itself as it goes. */
export interface Marks {
  /** Only now something was broken, where that is not its beginning. */
  broken(): void
  /** What was done from outside is over, where it is not over at once. */
  mended(): void
}

/** Something that is done to the running platform, and what it does to mend itself. */
export interface Fault {
  readonly name: string
  readonly kind: FaultKind
  /** Whose requests are held to a recovery; undefined where all are. */
  readonly service: Service | undefined
  /** Does it. Resolves when the platform is whole again; rejects where that does not happen in time. */
  inject(platform: ChaosPlatform, random: () => number, mark: Marks): Promise<void>
}

export function oneOf<T>(items: readonly T[], random: () => number): T {
  if (items.length === 0) throw new Error('there is none to choose from')
  return items[Math.floor(random() * items.length)]!
}

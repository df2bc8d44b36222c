import type { Logger } from '../logger.ts'
import { openDnsDiscovery } from './dns/discovery.ts'
import { openKubernetesDiscovery } from './kubernetes/discovery.ts'
import type { Discovery, Lease } from './port.ts'
import { openPostgresDiscovery } from './postgres/discovery.ts'
import type { DiscoverySetting } from './setting.ts'

/** Opens the discovery that the setting names. Rejects where it cannot be reached. */
export function openDiscovery(options: {
  setting: DiscoverySetting
  /** Where the setting is `postgres`. */
  connectionString: string
  logger: Logger
  lease?: Lease
}): Promise<Discovery> {
  const { setting, connectionString, ...rest } = options
  switch (setting.kind) {
    case 'postgres':
      return openPostgresDiscovery({ connectionString, ...rest })
    case 'dns':
      return openDnsDiscovery({ setting, ...rest })
    case 'kubernetes':
      return openKubernetesDiscovery({ setting, ...rest })
  }
}

import type { Logger } from '../logger.ts'
import type { Environment, Parser } from '../settings.ts'
import { openDnsDiscovery } from './dns/discovery.ts'
import { readDnsSetting, type DnsSetting } from './dns/setting.ts'
import { openKubernetesDiscovery } from './kubernetes/discovery.ts'
import { readKubernetesSetting, type KubernetesSetting } from './kubernetes/setting.ts'
import type { Discovery, Lease } from './port.ts'
import { openPostgresDiscovery } from './postgres/discovery.ts'

export type DiscoverySetting = { kind: 'postgres' } | ({ kind: 'dns' } & DnsSetting) | ({ kind: 'kubernetes' } & KubernetesSetting)

/** Reads `postgres`, `dns:…` or `kubernetes:…`; `environment` says where a pod finds the API of its cluster. */
export function discoverySetting(environment: Environment): Parser<DiscoverySetting> {
  return {
    parse(text) {
      if (text === undefined || text === '' || text === 'postgres') return { kind: 'postgres' }
      if (text.startsWith('dns:')) return { kind: 'dns', ...readDnsSetting(text.slice('dns:'.length)) }
      if (text === 'kubernetes' || text.startsWith('kubernetes:'))
        return { kind: 'kubernetes', ...readKubernetesSetting(text.slice('kubernetes:'.length), environment) }
      throw new Error(`must be postgres, dns:NAME or kubernetes:NAMESPACE/NAME, not "${text}"`)
    },
  }
}

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

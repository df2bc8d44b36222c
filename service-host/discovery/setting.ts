import type { Environment, Parser } from '../settings.ts'
import { readDnsSetting, type DnsSetting } from './dns/setting.ts'
import { readKubernetesSetting, type KubernetesSetting } from './kubernetes/setting.ts'

/** Which list of instances counts, and how it is reached. */
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

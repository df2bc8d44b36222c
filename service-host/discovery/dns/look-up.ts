import type { promises } from 'node:dns'
import type { DnsSetting } from './setting.ts'

/** Where the instances of a service are by DNS, as `host:port`, and how long that counts. */
export interface Found {
  authorities: string[]
  ttlMs: number
}

/** Sooner nothing is looked up again, whatever its time to live. */
export const ttlMinMs = 250
const targetsMax = 512

/**
 * SRV records of the name first (RFC 2782): the targets of the lowest priority, all alike, since who gets what is decided by load. Where there are
 * none, its addresses with the port of the setting; labels that begin with `_` belong to SRV alone. No such name is an answer, and an empty one. Rejects where the
 * name server does not answer. Node does not tell the time to live of SRV records; that of their targets stands for it.
 */
export async function lookUp(resolver: promises.Resolver, service: string, setting: DnsSetting): Promise<Found> {
  const name = setting.template.replace('{service}', service)
  const records = (await resolver.resolveSrv(name).catch(noneWhereUnknown)).slice(0, targetsMax)
  const priority = Math.min(...records.map((record) => record.priority))
  const targets = records.filter((record) => record.priority === priority).map((record) => ({ name: record.name, port: record.port }))
  if (records.length === 0 && setting.port !== undefined) targets.push({ name: name.replace(/^(_[^.]*\.)+/, ''), port: setting.port })
  const found = await Promise.all(targets.map(async (target) => ({ target, addresses: await addressesOf(resolver, target.name) })))
  const authorities = found.flatMap(({ target, addresses }) => addresses.map(({ host }) => `${host}:${target.port}`))
  const ttlMs = Math.min(...found.flatMap(({ addresses }) => addresses.map(({ ttl }) => ttl * 1_000)), setting.ttlMaxMs)
  return { authorities: [...new Set(authorities)].sort(), ttlMs: Math.max(ttlMinMs, ttlMs) }
}

/** Of IPv4; of IPv6 where there are none, so that one instance is not found twice. */
async function addressesOf(resolver: promises.Resolver, name: string): Promise<{ host: string; ttl: number }[]> {
  const four = await resolver.resolve4(name, { ttl: true }).catch(noneWhereUnknown)
  if (four.length > 0) return four.map(({ address, ttl }) => ({ host: address, ttl }))
  const six = await resolver.resolve6(name, { ttl: true }).catch(noneWhereUnknown)
  return six.map(({ address, ttl }) => ({ host: `[${address}]`, ttl }))
}

function noneWhereUnknown(error: unknown): [] {
  const { code } = error as { code?: string }
  if (code === 'ENOTFOUND' || code === 'ENODATA') return []
  throw error
}

import { BlockList, isIP } from 'node:net'

/**
 * The address a request comes from: of the connection, or, where that is a trusted proxy, the last address of
 * X-Forwarded-For that is not itself one.
 */
export function clientAddress(remoteAddress: string, forwardedFor: string | undefined, trusted: BlockList | undefined): string {
  const peer = plainAddress(remoteAddress)
  if (!trusted || !isTrusted(peer, trusted)) return peer
  const chain = (forwardedFor ?? '').split(',').map((part) => plainAddress(part.trim()))
  for (const address of chain.reverse()) {
    if (isIP(address) === 0) break
    if (!isTrusted(address, trusted)) return address
  }
  return peer
}

/** Addresses and subnets (`10.0.0.0/8`). Throws with the part at fault. */
export function parseTrusted(parts: readonly string[]): BlockList | undefined {
  if (parts.length === 0) return undefined
  const list = new BlockList()
  for (const part of parts) {
    const [address = '', prefix] = part.split('/')
    const family = isIP(address) === 6 ? 'ipv6' : 'ipv4'
    const bits = Number(prefix ?? (family === 'ipv6' ? 128 : 32))
    if (isIP(address) === 0 || !Number.isInteger(bits) || bits < 0 || bits > (family === 'ipv6' ? 128 : 32))
      throw new Error(`has "${part}", which is no address or subnet`)
    list.addSubnet(address, bits, family)
  }
  return list
}

export function isTrusted(address: string, trusted: BlockList): boolean {
  const family = isIP(address)
  return family !== 0 && trusted.check(address, family === 6 ? 'ipv6' : 'ipv4')
}

/** An IPv4 address as such, where it comes as one of IPv6. */
export function plainAddress(address: string): string {
  return address.startsWith('::ffff:') ? address.slice(7) : address
}

/**
 * Whom limits take for one: an IPv4 address, or the 64 bits of an IPv6 address that a provider gives to one customer, who could use all
 * 2^64 addresses of it.
 */
export function addressGroup(address: string): string {
  if (!address.includes(':')) return address
  const [before = '', after] = address.split('%', 1)[0]!.split('::')
  const head = before === '' ? [] : before.split(':')
  const tail = after === undefined || after === '' ? [] : after.split(':')
  const missing = after === undefined ? 0 : Math.max(0, 8 - head.length - tail.length)
  const groups = [...head, ...Array<string>(missing).fill('0'), ...tail].slice(0, 4)
  return groups.map((group) => group.replace(/^0+(?=.)/, '').toLowerCase()).join(':')
}

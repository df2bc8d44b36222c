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

function isTrusted(address: string, trusted: BlockList): boolean {
  const family = isIP(address)
  return family !== 0 && trusted.check(address, family === 6 ? 'ipv6' : 'ipv4')
}

function plainAddress(address: string): string {
  return address.startsWith('::ffff:') ? address.slice(7) : address
}

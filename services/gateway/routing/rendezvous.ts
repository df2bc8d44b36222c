/** 32-bit hash of a text (FNV-1a, with the last mixing of MurmurHash3 so that near texts lie far apart). */
export function hashText(text: string): number {
  let hash = 0x811c9dc5
  for (let at = 0; at < text.length; at += 1) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193)
  return mix(hash)
}

/**
 * How much a key belongs to a member, from 0 up to 2^32 (rendezvous, or highest random weight, hashing: Thaler and Ravishankar 1998). Each key goes to
 * the member where this is highest; a member that leaves gives only its own keys away, and one that comes takes its share from all alike.
 */
export function affinity(key: number, member: number): number {
  return mix(key ^ Math.imul(member, 0x9e3779b1))
}

function mix(hash: number): number {
  let mixed = hash ^ (hash >>> 16)
  mixed = Math.imul(mixed, 0x85ebca6b)
  mixed ^= mixed >>> 13
  mixed = Math.imul(mixed, 0xc2b2ae35)
  return (mixed ^ (mixed >>> 16)) >>> 0
}

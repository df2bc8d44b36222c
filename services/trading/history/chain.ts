import { hash } from 'node:crypto'
import { chainHead, chainText, type ChainedEvent } from '@maru/contracts/account-chain'
import type { EventText } from '../publisher/event-texts.ts'

/** SHA-256, hex, over what `chainText` makes of an event and the hash before it. */
export function chainHash(previousHash: string, event: ChainedEvent): string {
  return hash('sha256', chainText(previousHash, event))
}

/** More than a head takes: a hash, a number, a type and a time. */
const headBytesMax = 256
let workspace = Buffer.allocUnsafeSlow(8 * 1_024)

/** The same of an event as its record holds it. */
export function chainHashOf(previousHash: string, event: EventText): string {
  const { text, dataStart, dataEnd } = event
  const bytesMax = headBytesMax + dataEnd - dataStart
  if (bytesMax > workspace.length) workspace = Buffer.allocUnsafeSlow(bytesMax * 2)
  const headBytes = workspace.write(chainHead(previousHash, event), 0, 'latin1')
  text.bytes.copy(workspace, headBytes, dataStart, dataEnd)
  return hash('sha256', workspace.subarray(0, headBytes + dataEnd - dataStart))
}

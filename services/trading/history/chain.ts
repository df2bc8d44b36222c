import { hash } from 'node:crypto'
import { chainText, type ChainedEvent } from '@maru/contracts/account-chain'

/** SHA-256, hex, over what `chainText` makes of an event and the hash before it. `data`: its canonical JSON, where the caller has it. */
export function chainHash(previousHash: string, event: ChainedEvent, data?: string): string {
  return hash('sha256', chainText(previousHash, event, data))
}

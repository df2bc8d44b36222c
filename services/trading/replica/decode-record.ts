import { decodeBatch, UnreadableBatchError } from '@maru/contracts/commands-codec'
import type { Command } from '@maru/contracts'
import type { Logger } from '@maru/service-host'

/** The commands of a record; none where it cannot be read, which every replica skips alike and so stays equal. */
export function decodeRecord(record: { offset: number; body: Uint8Array }, logger: Logger): readonly Command[] {
  try {
    return decodeBatch(record.body)
  } catch (error) {
    if (!(error instanceof UnreadableBatchError)) throw error
    logger.error({ err: error, offset: record.offset }, 'unreadable record in the command log was skipped')
    return []
  }
}

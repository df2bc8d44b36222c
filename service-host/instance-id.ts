import { randomBytes } from 'node:crypto'

/** Sortable by time, unique to one run of one process. */
export function createInstanceId(service: string): string {
  return `${service}-${Date.now().toString(36)}${randomBytes(4).toString('hex')}`
}

import { isInOwnNamespaces, works } from './namespace.ts'
import { deploys } from './faults/deploy.ts'
import { fullDisk } from './faults/disk.ts'
import type { Fault } from './faults/fault.ts'
import { networkFaults } from './faults/network.ts'
import { killsWithinChanges } from './faults/within-change.ts'
import { databaseKill, kills, pauses } from './faults/process.ts'

export interface Arsenal {
  faults: Fault[]
  /** What this machine does not allow, each with the reason. */
  left: string[]
}

/** Every fault that this machine allows. */
export async function arsenal(hasDisk: boolean): Promise<Arsenal> {
  const faults = [...kills, ...pauses, databaseKill, ...deploys, ...killsWithinChanges]
  const left: string[] = []
  if (hasDisk) faults.push(fullDisk)
  else left.push(`${fullDisk.name}: no disk can be mounted here (it takes Linux, root, unshare and mkfs.ext4)`)
  if (isInOwnNamespaces() && (await works('nft', ['list', 'tables'])) && (await works('ss', ['--version']))) faults.push(...networkFaults)
  else left.push(...networkFaults.map(({ name }) => `${name}: no network of its own here (it takes Linux, root, unshare, ss and nft)`))
  return { faults, left }
}

/** All faults in an order that the seed gives, and again in another, without end. */
export function* plan(faults: readonly Fault[], random: () => number): Generator<Fault, never, undefined> {
  for (;;) {
    const round = [...faults]
    for (let last = round.length - 1; last > 0; last--) {
      const other = Math.floor(random() * (last + 1))
      ;[round[last], round[other]] = [round[other]!, round[last]!]
    }
    yield* round
  }
}

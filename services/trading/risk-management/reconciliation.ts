import { setTimeout as sleep } from 'node:timers/promises'
import { tradingEndpoints } from '@maru/contracts/http/trading'
import type { Discovery, HttpService } from '@maru/service-host'
import type { Agreement } from '../agreement/agreement.ts'
import type { StateHashes } from '../agreement/state-hashes.ts'
import type { Replica } from '../replica/replica.ts'
import { amountText } from '../wire/wire.ts'

/** How long it is waited, while nothing happens, for the others to hash where this replica stands; they do so twice as soon. */
const othersWaitMs = 1_000
const askEveryMs = 50

/**
 * The books added up, and what every live instance found its state to be: all at the same command count, so that equal ones show equal hashes. While
 * nothing happens that is where they stand; while commands come, the last count that all have hashed.
 */
export function serveReconciliation({
  http,
  replica,
  instanceId,
  discovery,
  agreement,
  hashes,
}: {
  http: HttpService
  replica: Replica
  instanceId: string
  discovery: Discovery
  agreement: Agreement
  hashes: StateHashes
}): void {
  const { exchange } = replica

  async function replicasNow(): ReturnType<StateHashes['newest']> {
    const live = await discovery.instances('trading')
    const ids = [...new Set([instanceId, ...live.map(({ id }) => id)])]
    await agreement.record()
    const command = exchange.commandCount
    for (const end = performance.now() + othersWaitMs; ; await sleep(askEveryMs)) {
      const common = await hashes.newest(ids, 'common')
      if (exchange.commandCount !== command || common.every((found) => found.command === command)) return common
      if (performance.now() > end) return hashes.newest(ids, 'each')
    }
  }

  http.serve(tradingEndpoints.reconciliation, async () => {
    const replicas = await replicasNow()
    return {
      assets: exchange.reconciliation().map((row) => {
        const asset = exchange.assets[row.asset]!
        const text = (units: bigint): string => amountText(asset, units)
        return {
          asset: asset.name,
          accounts: text(row.accounts),
          fees: text(row.fees),
          insurance: text(row.insurance),
          deposits: text(row.deposits),
          withdrawals: text(row.withdrawals),
          difference: text(row.difference),
        }
      }),
      replicas: replicas.map(({ replica: id, command, hash }) => ({ id, position: command, state_hash: hash })),
    }
  })
}

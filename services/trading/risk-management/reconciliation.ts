import { tradingEndpoints } from '@maru/contracts/http/trading'
import type { Discovery, HttpService } from '@maru/service-host'
import type { Agreement } from '../agreement/agreement.ts'
import type { StateHashes } from '../agreement/state-hashes.ts'
import type { Replica } from '../replica/replica.ts'
import { amountText } from '../wire/wire.ts'

/**
 * The books added up, and what every live instance found its state to be. Those stand at the last command count at which all have hashed it, so that
 * equal ones show equal hashes while they run; when nothing happens that is where all stand, a quarter of a second later.
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

  http.serve(tradingEndpoints.reconciliation, async () => {
    const [live] = await Promise.all([discovery.instances('trading'), agreement.record()])
    const replicas = await hashes.newest([...new Set([instanceId, ...live.map(({ id }) => id)])])
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

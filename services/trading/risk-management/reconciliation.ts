import { tradingEndpoints } from '@maru/contracts/http/trading'
import type { HttpService } from '@maru/service-host'
import type { Replica } from '../replica/replica.ts'
import { amountText } from '../wire/wire.ts'

/** A hash of the whole state takes milliseconds on a large one: asked more often, the last is shown. */
const hashEveryMs = 1_000

export function serveReconciliation({ http, replica, instanceId }: { http: HttpService; replica: Replica; instanceId: string }): void {
  const { exchange } = replica
  let hashed: { atMs: number; position: number; stateHash: string } | undefined

  http.serve(tradingEndpoints.reconciliation, () => {
    const now = performance.now()
    if (!hashed || now - hashed.atMs > hashEveryMs) hashed = { atMs: now, position: exchange.commandCount, stateHash: exchange.stateHash() }
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
      replicas: [{ id: instanceId, position: hashed.position, state_hash: hashed.stateHash }],
    }
  })
}

import type { ListKind } from '@maru/contracts/commands'
import type { ByteReader, ByteWriter } from './bytes.ts'
import type { Core } from './core.ts'
import { none } from './no-slot.ts'
import { isPending } from './traits.ts'

/** Slots of the orders that wait for another of their list, by list and leg. */
export function pendingOrders(core: Core): number[] {
  const { orders } = core
  const slots: number[] = []
  for (const { legs } of core.lists.values()) {
    for (const id of legs) {
      const slot = orders.find(id)
      if (slot !== none && isPending(orders.traits(slot))) slots.push(slot)
    }
  }
  return slots
}

/** Writes the lists, which stand in the order in which they were placed. */
export function writeLists(core: Core, out: ByteWriter): void {
  out.f64(core.lastList)
  out.i32(core.lists.size)
  for (const { id, kind, account, symbol, clientListId, legs, isWaiting, filled } of core.lists.values()) {
    out.f64(id)
    out.i32(kind)
    out.i32(account)
    out.i32(symbol)
    out.text(clientListId)
    out.i32(isWaiting ? 1 : 0)
    out.f64(filled)
    out.i32(legs.length)
    for (const leg of legs) out.f64(leg)
  }
}

export function readLists(core: Core, from: ByteReader): void {
  core.lastList = from.f64()
  for (let left = from.i32(); left > 0; left--) {
    const [id, kind, account, symbol] = [from.f64(), from.i32() as ListKind, from.i32(), from.i32()]
    const clientListId = from.text()
    const isWaiting = from.i32() === 1
    const filled = from.f64()
    const legs: number[] = []
    for (let leg = from.i32(); leg > 0; leg--) legs.push(from.f64())
    core.lists.set(id, { id, kind, account, symbol, clientListId, legs, isWaiting, filled })
  }
}

import { topics, type TradingEvent } from '@maru/contracts'
import { decodeBatch } from '@maru/contracts/commands-codec'
import { Exchange } from '@maru/domain/exchange'
import { chainHash, formatId, genesisHash } from '@maru/trading/testing'
import type { Auditor } from './auditor.ts'
import type { Client } from './client.ts'
import type { Database } from './database.ts'
import type { Instance } from './instance.ts'
import type { Verdict } from './violation.ts'

interface Platform {
  auditor: Auditor
  database: Database
  instances: readonly Instance[]
  clients: readonly Client[]
}

/** What is still missing until all have caught up with the log; undefined where nothing is. */
export function outstanding({ auditor, database, instances, clients }: Platform): string | undefined {
  const count = auditor.exchange.commandCount
  const waiting = clients.filter(({ isDone }) => !isDone).length
  if (waiting > 0) return `${waiting} clients wait for answers`
  for (const { name, serving } of instances) {
    if (!serving) return `${name} is not ready`
    if (serving.intake.waiting > 0) return `${name} has commands waiting`
    const applied = serving.replica.exchange.commandCount
    if (applied !== count) return `${name} has applied ${applied} of ${count} commands`
  }
  if (auditor.publishedCount < auditor.events.length) return `${auditor.publishedCount} of ${auditor.events.length} events are published`
  const head = database.records.head(topics.tradingEvents)
  const { position, isWriting } = database.history
  if (isWriting || position < head) return `the history stands at ${position} of ${head}${isWriting ? ', uncommitted' : ''}`
  return undefined
}

/** What must hold once faults have ceased and all have caught up. */
export function checkSettled(platform: Platform, verdict: Verdict): void {
  const { auditor, instances } = platform
  for (const { name, serving } of instances) if (serving) auditor.checkState(serving.replica.exchange, name)
  checkRestart(platform, verdict)
  checkStreams(platform, verdict)
  checkOrders(platform, verdict)
}

/** Whoever starts now, from the newest snapshot and the log behind it, comes to the same state. */
function checkRestart({ auditor, database }: Platform, verdict: Verdict): void {
  const newest = Math.max(0, ...database.snapshots.keys())
  const snapshot = database.snapshots.get(newest)
  const exchange = snapshot ? Exchange.restore(snapshot.body) : new Exchange()
  const records = database.records.read(topics.tradingCommands, snapshot?.offset ?? 0, { recordsMax: 100_000, bytesMax: 1e9 })
  for (const { body } of records) for (const command of decodeBatch(body)) exchange.apply(command)
  verdict.expect(
    exchange.commandCount === auditor.exchange.commandCount && exchange.stateHash() === auditor.exchange.stateHash(),
    () => `the snapshot of ${newest} commands and the log behind it give ${exchange.commandCount} commands and another state`,
  )
}

type StoredEvent = Pick<TradingEvent, 'type' | 'timestamp' | 'data'>

/** The stream of each account as the history has it: every event once, in order, chained. */
function checkStreams({ auditor, database }: Platform, verdict: Verdict): void {
  for (const [userId, expected] of auditor.eventsByUser) {
    const runs = database.history.runs.get(userId) ?? []
    let sequence = 0
    let previous = genesisHash
    for (const run of runs) {
      verdict.expect(
        run.firstSequence === sequence + 1 && run.previousHash === previous,
        () => `the history of ${userId} has a run from ${run.firstSequence} after event ${sequence}, or it is not chained to it`,
      )
      const events = JSON.parse(run.json) as StoredEvent[]
      for (const [index, { type, timestamp, data }] of events.entries()) {
        const wanted = expected[sequence]
        sequence += 1
        if (!wanted) return verdict.fail(`the history of ${userId} has an event ${sequence} that never happened`)
        previous = chainHash(previous, wanted.event)
        verdict.expect(
          wanted.event.sequence === sequence &&
            type === wanted.event.type &&
            timestamp === wanted.event.timestamp &&
            JSON.stringify(data) === wanted.data &&
            run.hashes[index] === previous,
          () => `event ${sequence} of ${userId} is another in the history, or its hash is`,
        )
      }
    }
    verdict.expect(sequence === expected.length, () => `the history of ${userId} ends at ${sequence} of ${expected.length} events`)
  }
}

/** Each order stands in the history as its last event shows it, with the numbers of its fills; among them all that were acknowledged; and each list with its orders. */
function checkOrders({ auditor, database, clients }: Platform, verdict: Verdict): void {
  const last = new Map<string, number>()
  const fills = new Map<string, number[]>()
  for (const { event } of auditor.events) {
    if (event.type === 'trade.executed') {
      const known = fills.get(event.data.order_id) ?? []
      fills.set(event.data.order_id, known)
      known.push(event.sequence)
    } else if (event.type.startsWith('order.')) last.set((event.data as { id: string }).id, event.sequence)
  }
  const orders = database.history.ordersById()
  for (const [id, sequence] of last) {
    const row = orders.get(id)
    verdict.expect(
      row?.sequence === sequence && row.fills.join() === (fills.get(id) ?? []).join(),
      () => `order ${id} stands in the history as of event ${row?.sequence} with the fills ${row?.fills.join()}, not ${sequence}`,
    )
  }
  const placed = auditor.events.flatMap(({ event }) => (event.type === 'order_list.created' ? [event.data] : []))
  const { lists } = database.history
  for (const list of placed)
    verdict.expect(
      lists.get(list.id)?.order_ids.join() === list.order_ids.join() && list.order_ids.every((id) => last.has(id)),
      () => `list ${list.id} stands in the history with the orders ${lists.get(list.id)?.order_ids.join()}, not ${list.order_ids.join()}`,
    )
  verdict.expect(lists.size === placed.length, () => `the history has ${lists.size} lists, the log ${placed.length}`)
  verdict.expect(orders.size === last.size, () => `the history has ${orders.size} orders, the log ${last.size}`)
  for (const client of clients)
    for (const order of client.orders)
      verdict.expect(last.has(formatId(order)), () => `order ${order} was acknowledged and is in no stream`)
}

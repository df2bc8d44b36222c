import { formatId, runText, type ListRow, type OrderRow, type OrderRun, type Run } from '@maru/trading/testing'
import { connectionLost } from './connection-lost.ts'

/** A row: its events as they are stored. */
interface StoredRun extends Omit<Run, 'events'> {
  json: string
}

/** The history tables and the reader's position, which is the lock that its transactions take one after another. */
export class HistoryRows {
  position = 0
  readonly runs = new Map<string, StoredRun[]>()
  readonly orders = new Map<string, OrderRow>()
  readonly orderRuns = new Map<string, OrderRun>()
  readonly lists = new Map<string, ListRow>()
  readonly #commit: (undo: () => void) => void
  readonly #open = new Set<HistoryTransaction>()
  #holder: HistoryTransaction | undefined
  readonly #waiting: { transaction: HistoryTransaction; resolve: () => void; reject: (error: Error) => void }[] = []

  constructor(commit: (undo: () => void) => void) {
    this.#commit = commit
  }

  /** Each order as the tables have it: in a row of its own, or else in the run it began in. */
  ordersById(): Map<string, Pick<OrderRow, 'sequence' | 'fills'>> {
    const found = new Map<string, Pick<OrderRow, 'sequence' | 'fills'>>(this.orders)
    for (const { orders } of this.orderRuns.values()) {
      for (const { order, sequence, fills } of orders) {
        const id = formatId(order.number)
        const row = this.orders.get(id)
        found.set(id, row ? { sequence: row.sequence, fills: [...fills, ...row.fills] } : { sequence, fills })
      }
    }
    return found
  }

  begin(): HistoryTransaction {
    const transaction = new HistoryTransaction(this, (undo) => this.#end(transaction, undo))
    this.#open.add(transaction)
    return transaction
  }

  /** Resolves when the transaction is the one that may write. */
  lock(transaction: HistoryTransaction): Promise<void> {
    if (this.#holder === undefined) {
      this.#holder = transaction
      return Promise.resolve()
    }
    return new Promise((resolve, reject) => this.#waiting.push({ transaction, resolve, reject }))
  }

  /** Whether a transaction is under way, whose writes may yet be undone. */
  get isWriting(): boolean {
    return this.#open.size > 0
  }

  /** The database stops. */
  abortAll(): void {
    for (const { reject } of this.#waiting.splice(0)) reject(connectionLost())
    for (const transaction of this.#open) transaction.abort()
  }

  #end(transaction: HistoryTransaction, undo: (() => void) | undefined): void {
    this.#open.delete(transaction)
    if (undo) this.#commit(undo)
    const at = this.#waiting.findIndex((waiting) => waiting.transaction === transaction)
    if (at >= 0) this.#waiting.splice(at, 1)[0]!.reject(connectionLost())
    if (this.#holder !== transaction) return
    const next = this.#waiting.shift()
    this.#holder = next?.transaction
    next?.resolve()
  }
}

/** One transaction on the history: its writes are seen by itself at once, and by others never before it ends, as they wait for the position. */
export class HistoryTransaction {
  readonly #rows: HistoryRows
  readonly #end: (undo: (() => void) | undefined) => void
  #undo: (() => void)[] = []
  #isOpen = true

  constructor(rows: HistoryRows, end: (undo: (() => void) | undefined) => void) {
    this.#rows = rows
    this.#end = end
  }

  async move(from: number, to: number): Promise<boolean> {
    this.#check()
    await this.#rows.lock(this)
    this.#check()
    if (this.#rows.position !== from) return false
    this.#rows.position = to
    this.#undo.push(() => (this.#rows.position = from))
    return true
  }

  tails(userIds: readonly string[]): Map<string, { sequence: number; hash: string }> {
    this.#check()
    const tails = new Map<string, { sequence: number; hash: string }>()
    for (const userId of userIds) {
      const run = this.#rows.runs.get(userId)?.at(-1)
      if (run) tails.set(userId, { sequence: run.lastSequence, hash: run.hashes.at(-1)! })
    }
    return tails
  }

  insertRuns(runs: readonly Run[]): void {
    this.#check()
    for (const run of runs) {
      const known = this.#rows.runs.get(run.userId) ?? []
      if (known.some(({ lastSequence }) => lastSequence === run.lastSequence)) throw new Error('duplicate key of account_event_runs')
      this.#rows.runs.set(run.userId, known)
      const { events, ...row } = run
      const stored = { ...row, json: Buffer.from(runText(events)).toString() }
      known.push(stored)
      this.#undo.push(() => known.splice(known.indexOf(stored), 1))
    }
  }

  putOrders(rows: readonly OrderRow[]): void {
    this.#check()
    const { orders } = this.#rows
    for (const row of rows) {
      const id = formatId(row.order.number)
      const known = orders.get(id)
      if (row.isNew && known) throw new Error(`duplicate key of orders: ${id}`)
      orders.set(id, { ...row, fills: [...(known?.fills ?? []), ...row.fills].slice(0, 1_000) })
      this.#undo.push(() => (known ? orders.set(id, known) : orders.delete(id)))
    }
  }

  insertOrderRuns(runs: readonly OrderRun[]): void {
    this.#check()
    const { orderRuns } = this.#rows
    for (const run of runs) {
      const key = `${run.userId} ${run.orders.at(-1)!.order.number}`
      if (orderRuns.has(key)) throw new Error(`duplicate key of order_runs: ${key}`)
      orderRuns.set(key, run)
      this.#undo.push(() => orderRuns.delete(key))
    }
  }

  insertLists(rows: readonly ListRow[]): void {
    this.#check()
    const { lists } = this.#rows
    for (const row of rows) {
      if (lists.has(row.id)) throw new Error('duplicate key of order_lists')
      lists.set(row.id, row)
      this.#undo.push(() => lists.delete(row.id))
    }
  }

  commit(): void {
    this.#check()
    this.#isOpen = false
    this.#end(() => this.#undoAll())
  }

  abort(): void {
    if (!this.#isOpen) return
    this.#isOpen = false
    this.#undoAll()
    this.#end(undefined)
  }

  #undoAll(): void {
    for (const undo of this.#undo.reverse()) undo()
    this.#undo = []
  }

  #check(): void {
    if (!this.#isOpen) throw connectionLost()
  }
}

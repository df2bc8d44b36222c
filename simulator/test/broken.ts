import { topics } from '@maru/contracts'
import { MemoryRecords, type AppendRequest } from '@maru/event-log'
import { BalanceStore } from '../../domain/exchange/balances.ts'
import { IdWindow } from '../../domain/exchange/id-window.ts'
import type { SimulationOptions } from '../simulation.ts'

/** A platform with one promise broken: the simulator must find it out. */
export interface Broken {
  name: string
  /** What the report of it says, among other things. */
  says: RegExp
  /** For each run anew. */
  options: () => SimulationOptions
  /** Breaks the code of this process until it is disposed of. */
  apply: () => Disposable
}

const nothing = (): Disposable => ({ [Symbol.dispose]: () => undefined })

function replaced<Owner extends object, Key extends keyof Owner>(owner: Owner, key: Key, value: Owner[Key]): Disposable {
  const original = owner[key]
  owner[key] = value
  return {
    [Symbol.dispose]() {
      owner[key] = original
    },
  }
}

/** Loses one unit of a large payment now and then: alike on every replica, so only the sums can tell. */
function losingLedger(): Disposable {
  const add = BalanceStore.prototype.add
  return replaced(BalanceStore.prototype, 'add', function (this: BalanceStore, balance: number, units: number) {
    add.call(this, balance, units > 1_000_000 && units % 7 === 0 ? units - 1 : units)
  })
}

/** Knows no client order id and no reference again. */
function forgetfulWindow(): Disposable {
  const find = IdWindow.prototype.find
  return replaced(IdWindow.prototype, 'find', function (this: IdWindow, account: number, text: string) {
    find.call(this, account, text)
    return -1
  })
}

/** Any exclusive writer may append, however old. */
class UnfencedRecords extends MemoryRecords {
  override append({ writer: _writer, ...request }: AppendRequest): number {
    return super.append(request)
  }
}

/** Takes a repeated append for a new one. */
class ForgetfulRecords extends MemoryRecords {
  #count = 0
  override append(request: AppendRequest): number {
    const offset = super.append({ ...request, producer: `${request.producer}?${(this.#count += 1)}` })
    const record = this.last(request.topic)!
    record.producer = request.producer
    return offset
  }
}

/** Says of a record of commands now and then that it is durable, and has not kept it. */
class LosingRecords extends MemoryRecords {
  #count = 0
  override append(request: AppendRequest): number {
    if (request.topic === topics.tradingCommands && (this.#count += 1) % 40 === 0) return this.head(request.topic) + 1
    return super.append(request)
  }
}

export const brokenPlatforms: readonly Broken[] = [
  { name: 'a ledger that loses a unit', says: /is off by/, options: () => ({}), apply: losingLedger },
  {
    name: 'a lease without fencing: two publishers both write',
    says: /was published where|jumps from event/,
    options: () => ({ records: new UnfencedRecords() }),
    apply: nothing,
  },
  { name: 'a client order id that is forgotten', says: /took effect twice/, options: () => ({}), apply: forgetfulWindow },
  {
    name: 'a producer’s sequence that is forgotten',
    says: /took effect twice|another outcome|was published where/,
    options: () => ({ records: new ForgetfulRecords() }),
    apply: nothing,
  },
  {
    name: 'a log that acknowledges what it loses',
    says: /not in the log|another outcome|was published where|another state|does not have there/,
    options: () => ({ records: new LosingRecords() }),
    apply: nothing,
  },
]

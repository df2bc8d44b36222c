import { EventKind, OrderStatus, refusals, type Exchange } from '@maru/domain/exchange'
import { CountTally, HistogramTally } from '@maru/service-host'
import type { IntakeObserver } from '../intake/intake.ts'

/** Commands in one record, and seconds. */
export const batchBounds = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000]
export const secondBounds = [0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]

const closedStates: Partial<Record<number, string>> = {
  [OrderStatus.filled]: 'filled',
  [OrderStatus.cancelled]: 'cancelled',
  [OrderStatus.expired]: 'expired',
}

/** What came of the commands that this instance took, in plain numbers: summed over all instances each command counts once. */
export class OrderMeter implements IntakeObserver {
  /** By what became of orders: accepted, rejected, duplicate, and closed as filled, cancelled or expired. Makers that close count too. */
  readonly orders = new CountTally()
  /** By code of the catalogue. */
  readonly refusals = new CountTally()
  readonly batches = new HistogramTally(batchBounds)
  readonly seconds = new HistogramTally(secondBounds)
  commands = 0
  trades = 0
  liquidations = 0

  applied({ outcome: { data, length } }: Exchange): void {
    this.commands += 1
    for (let at = 0; at < length; at += data[at + 1]!) {
      switch (data[at]) {
        case EventKind.orderAccepted:
          this.orders.add('accepted')
          break
        case EventKind.orderRejected:
          this.orders.add('rejected')
          this.#refused(data[at + 5]!)
          break
        case EventKind.orderDuplicate:
          this.orders.add('duplicate')
          break
        case EventKind.commandRefused:
          this.#refused(data[at + 2]!)
          break
        case EventKind.orderUpdated: {
          const state = closedStates[data[at + 5]!]
          if (state !== undefined) this.orders.add(state)
          break
        }
        case EventKind.trade:
        case EventKind.auctionTrade:
          this.trades += 1
          break
        case EventKind.accountLiquidated:
          this.liquidations += 1
          break
        default:
          break
      }
    }
  }

  committed(commands: number, elapsedMs: number): void {
    this.batches.observe(commands)
    this.seconds.observe(elapsedMs / 1_000)
  }

  refused(code: 'overloaded' | 'outcome_pending' | 'unavailable' | 'deadline_exceeded'): void {
    this.refusals.add(code)
  }

  #refused(refusal: number): void {
    this.refusals.add(refusals[refusal] ?? 'other')
  }
}

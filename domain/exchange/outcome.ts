/**
 * What one command did, as numbers in one flat array, so that the hot path allocates nothing. Each event is
 * `[kind, size, field…]` where size counts all of it; fields stand in the order of the tuples below. The outcome is
 * overwritten by the next `apply`. Orders that closed during the command stay readable by `Exchange.order` until then.
 *
 * `sequence` is the number of the event in its account's stream, from 1 without a gap; 0 where the event has none
 * (duplicates, refusals, marks, market status). Quotes of a mass quote have no order events; their trades are numbered like any other.
 */
export const EventKind = {
  /** account, sequence */
  accountOpened: 1,
  /** account, sequence, order, symbol — the order passed every check; what became of it follows */
  orderAccepted: 2,
  /** account, sequence, order, refusal — an order is recorded as REJECTED */
  orderRejected: 3,
  /** account, sequence, order — a stop became a market order; 0 sequence never */
  orderTriggered: 4,
  /**
   * trade, symbol, price, quantity, notional, takerSide,
   * takerOrder, takerAccount, takerSequence, takerFee, takerRealized,
   * makerOrder, makerAccount, makerSequence, makerFee, makerRealized
   * (realized: quote minor units before the fee)
   */
  trade: 5,
  /** account, sequence, order, status, filled, filledNotional, fee, refusal (0: none) — cumulative figures of the order */
  orderUpdated: 6,
  /** account, order (the first one's), refusal (0: it had been accepted), conflict (1: other terms, refused as reused) */
  orderDuplicate: 7,
  /** account, sequence, asset, amount, isGrant (0 or 1) */
  fundsMoved: 8,
  /** account, sequence, symbol, side, price, quantity, notional, realized */
  fillBooked: 9,
  /** account, sequence, symbol (-1: whole account), positionNotionalMax, leverageMaxHundredths, dailyLossMax */
  limitsChanged: 10,
  /** account, sequence, mode */
  modeChanged: 11,
  /** refusal — the command changed nothing (a cancel of a closed order, a withdrawal without funds …) */
  commandRefused: 12,
  /** symbol, status */
  marketStatusChanged: 13,
  /** symbol, price */
  markUpdated: 14,
  /** the same command was applied before (an open account, a reference): nothing changed */
  commandRepeated: 15,
  /** rules */
  rulesSwitched: 16,
  /** account, sequence, order, quantity, price, stopPrice — quantity is the whole, with what is filled */
  orderAmended: 17,
  /** account, sequence, list, kind, first order, second, third (0: none) — orderAccepted of each follows. Before rules 3 it has no sequence. */
  listAccepted: 18,
  /** account, list (the first one's), conflict (1: other terms), its kind, its first order */
  listDuplicate: 19,
  /** account, order — of a cancel-replace: the order that was cancelled; its own orderUpdated follows */
  orderReplaced: 20,
  /** as `trade`, of an auction: the newer order stands where the taker does, and both pay as makers */
  auctionTrade: 21,
  /** account, sequence — what operators set of it, or its kill switch */
  controlsChanged: 22,
  /** symbol (-1: every market), isOn */
  killSwitched: 23,
  /** account, dueMs (0: off) */
  deadManSet: 24,
  /** symbol */
  marketRulesChanged: 25,
  /** tier, symbol (-1: every market), makerFeePpm, takerFeePpm */
  feesChanged: 26,
  /** account, sequence, asset, amount (signed), the other account */
  fundsTransferred: 27,
  /** asset, amount (signed) — of the insurance fund */
  insuranceMoved: 28,
  /** account, sequence, equity, maintenance — it fell below its maintenance margin; what is done about it follows */
  accountLiquidated: 29,
  /** account, sequence, asset, amount, order — to the insurance fund */
  liquidationFeePaid: 30,
  /** account, sequence, asset, amount — what the account owed and could not pay, from the insurance fund */
  insurancePaid: 31,
} as const
export type EventKind = (typeof EventKind)[keyof typeof EventKind]

export const OrderStatus = { pending: 0, partiallyFilled: 1, filled: 2, cancelled: 3, rejected: 4, expired: 5 } as const
export type OrderStatus = (typeof OrderStatus)[keyof typeof OrderStatus]

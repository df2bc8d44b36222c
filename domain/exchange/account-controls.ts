/** What operators, and timers, may have set of an account. 0 is none. */
export interface AccountControls {
  /** Accounts of one group do not trade with each other. */
  tradeGroup: number
  feeTier: number
  /** 1: only orders that reduce are taken. */
  reduceOnly: number
  messagesPerSecondMax: number
  openOrdersMax: number
  /** Kill switch: 0 off, else a `KilledBy`. */
  killed: number
  /** When the dead-man timer is due, milliseconds since 1970. */
  deadManMs: number
  /** 1: below its maintenance margin, until it is no more; only orders that reduce are taken. */
  liquidating: number
  /** The second since 1970 in which messages were last counted, and how many came in it. */
  countedSecond: number
  counted: number
}

/** Who switched the kill switch of an account on: its owner cannot switch off what an operator switched on. */
export const KilledBy = { owner: 1, operator: 2 } as const

export const noControls: Readonly<AccountControls> = {
  tradeGroup: 0,
  feeTier: 0,
  reduceOnly: 0,
  messagesPerSecondMax: 0,
  openOrdersMax: 0,
  killed: 0,
  deadManMs: 0,
  liquidating: 0,
  countedSecond: 0,
  counted: 0,
}

/** The lowest bit of an account's flags is its mode. Each other says that there is something to look up. */
export const modeFlag = 1
export const groupFlag = 2
export const tierFlag = 4
/** Orders of the account are not simply taken: it is killed, may only reduce, is being liquidated, or has a cap of its own. */
export const restrictedFlag = 8

export function flagsOf(controls: AccountControls): number {
  const { tradeGroup, feeTier, reduceOnly, messagesPerSecondMax, openOrdersMax, killed, liquidating } = controls
  return (
    (tradeGroup === 0 ? 0 : groupFlag) |
    (feeTier === 0 ? 0 : tierFlag) |
    (reduceOnly === 0 && messagesPerSecondMax === 0 && openOrdersMax === 0 && killed === 0 && liquidating === 0 ? 0 : restrictedFlag)
  )
}

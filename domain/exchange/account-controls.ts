/** What operators, and timers, may have set of an account. 0 is none. */
export interface AccountControls {
  /** Accounts of one group do not trade with each other. */
  tradeGroup: number
  feeTier: number
  /** 1: only orders that reduce are taken. */
  reduceOnly: number
  messagesPerSecondMax: number
  openOrdersMax: number
  /** 1: the kill switch is on. */
  killed: number
  /** When the dead-man timer is due, milliseconds since 1970. */
  deadManMs: number
}

export const noControls: Readonly<AccountControls> = {
  tradeGroup: 0,
  feeTier: 0,
  reduceOnly: 0,
  messagesPerSecondMax: 0,
  openOrdersMax: 0,
  killed: 0,
  deadManMs: 0,
}

/** The lowest bit of an account's flags is its mode. Each other says that there is something to look up. */
export const modeFlag = 1
export const groupFlag = 2
export const tierFlag = 4
/** Orders of the account are not simply taken: it is killed, may only reduce, or has a cap of its own. */
export const restrictedFlag = 8

export function flagsOf(controls: AccountControls): number {
  const { tradeGroup, feeTier, reduceOnly, messagesPerSecondMax, openOrdersMax, killed } = controls
  return (
    (tradeGroup === 0 ? 0 : groupFlag) |
    (feeTier === 0 ? 0 : tierFlag) |
    (reduceOnly === 0 && messagesPerSecondMax === 0 && openOrdersMax === 0 && killed === 0 ? 0 : restrictedFlag)
  )
}

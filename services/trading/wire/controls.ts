import type { Exchange } from '@maru/domain/exchange'

type Controls = ReturnType<Exchange['controls']>

const killers = [null, 'OWNER', 'OPERATOR'] as const
const orNull = (figure: number): number | null => (figure === 0 ? null : figure)

/** The controls of an account as its events tell them, with sorted keys. */
export function controlsData(controls: Controls) {
  return {
    fee_tier: orNull(controls.feeTier),
    kill_switch: killers[controls.killed]!,
    max_open_orders: orNull(controls.openOrdersMax),
    messages_per_second: orNull(controls.messagesPerSecondMax),
    reduce_only: controls.reduceOnly !== 0,
    trade_group: orNull(controls.tradeGroup),
  }
}

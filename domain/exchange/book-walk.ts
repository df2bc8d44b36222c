import { Side } from '@maru/contracts/commands'
import { amountMax as unitsMax } from '../money/index.ts'
import type { BookSide } from './book-side.ts'
import type { Core } from './core.ts'
import { feeOf } from './fees.ts'
import type { Market } from './markets.ts'
import { none as noSlot } from './no-slot.ts'

/** Constants of this module are folded into the machine code; imported ones are looked up at each use. */
const { buy } = Side
const none: number = noSlot
const amountMax: number = unitsMax

/** What a taker would trade now, without trading it. Reused, so that a walk allocates nothing. */
export class BookWalk {
  lots = 0
  /** Quote minor units, fees left out. */
  notional = 0
  /** Sum of the fees of the fills, each rounded down as it would be. */
  fees = 0
  /** Price of the last fill; 0 where there is none. */
  worstPrice = 0
  /** Some figure would pass 2^53, or might. */
  isTooLarge = false
}

/**
 * Walks the side a taker would trade against, order by order as `match` does, until `lots` are found, prices no longer cross, or an order
 * of the same account stands in the way. The result is in `core.walk`.
 */
export function walkBook(core: Core, market: Market, position: number, side: Side, lots: number, minKey: number): void {
  const { orders, levels, walk } = core
  walk.lots = 0
  walk.notional = 0
  walk.fees = 0
  walk.worstPrice = 0
  walk.isTooLarge = false
  const book: BookSide = side === buy ? market.asks : market.bids
  for (let place = book.bestPlace; place !== none; place = book.nextPlace(place)) {
    const level = book.levelAt(place)
    const price = levels.price(level)
    if (price * book.sign < minKey) break
    for (let maker = levels.first(level); maker !== none; maker = orders.next(maker)) {
      const missing = lots - walk.lots
      if (missing === 0 || orders.position(maker) === position) {
        walk.isTooLarge = !hasRoom(core, market, position)
        return
      }
      const open = orders.remaining(maker)
      const taken = missing < open ? missing : open
      const notional = price * taken * market.notionalFactor
      walk.lots += taken
      walk.notional += notional
      walk.fees += feeOf(notional, market.takerFeePpm)
      walk.worstPrice = price
      if (!hasRoom(core, market, orders.position(maker))) {
        walk.isTooLarge = true
        return
      }
    }
  }
  walk.isTooLarge = !hasRoom(core, market, position)
}

/** Whether an owner could take the whole walk so far on either side and stay within 2^53; stricter than each fill by itself. */
function hasRoom(core: Core, market: Market, position: number): boolean {
  const { positions, balances, walk } = core
  const quote = balances.total(positions.quoteBalance(position))
  const base = balances.total(positions.baseBalance(position))
  return (
    Math.abs(quote) + 2 * walk.notional <= amountMax &&
    Math.abs(base) + walk.lots * market.lotFactor <= amountMax &&
    positions.openCost(position) + walk.notional <= amountMax
  )
}

import type { AccountMode } from '@maru/contracts/commands'
import type { ByteReader, ByteWriter } from './bytes.ts'
import type { Core } from './core.ts'
import type { IdWindow } from './id-window.ts'
import { none } from './no-slot.ts'
import { positionFigures } from './positions.ts'
import { positionFor, readDetails, restAll, writeDetails } from './snapshot-orders.ts'
import { hasClientOrderId, isDetailed } from './traits.ts'

/**
 * Accounts, what they hold, orders and remembered ids, each kind as columns: all texts, then figure by figure. Figures of a kind are alike or near to each other,
 * so there is a third of the bytes to hash, to compress and to read; and tables know their size before they are filled.
 *
 * @param resting slots of orders in books and among stops, in their order
 * @param pending slots of those that wait in lists
 */
export function writeColumns(core: Core, resting: Int32Array, pending: readonly number[], out: ByteWriter): void {
  writeAccounts(core, out)
  writeHoldings(core, out)
  out.i32(pending.length)
  writeOrders(core, [...resting, ...pending], out)
  writeWindow(core.clientOrders, out)
  writeWindow(core.references, out)
}

export function readColumns(core: Core, from: ByteReader): void {
  readAccounts(core, from)
  readHoldings(core, from)
  readOrders(core, from)
  readWindow(core.clientOrders, from)
  readWindow(core.references, from)
}

function writeAccounts({ accounts }: Core, out: ByteWriter): void {
  const { count } = accounts
  out.i32(count)
  out.texts(count, accounts.userIds.texts, (account) => account)
  out.columns(count, [
    (account) => accounts.mode(account),
    (account) => accounts.sequence(account),
    (account) => accounts.realizedDay(account),
    (account) => accounts.dayRealized(account, accounts.realizedDay(account)),
    (account) => accounts.positionNotionalMax(account),
    (account) => accounts.leverageMaxHundredths(account),
    (account) => accounts.dailyLossMax(account),
  ])
}

function readAccounts({ accounts }: Core, from: ByteReader): void {
  const count = from.i32()
  accounts.restore(from.texts(count))
  const [modes, sequences, days, realized, positionMaxima, leverageMaxima, lossMaxima] = from.columns(count, 7) as Columns<7>
  for (let account = 0; account < count; account++) {
    accounts.setMode(account, modes[account] as AccountMode)
    accounts.setSequence(account, sequences[account]!)
    accounts.addDayRealized(account, days[account]!, realized[account]!)
    accounts.setPositionNotionalMax(account, positionMaxima[account]!)
    accounts.setLeverageMaxHundredths(account, leverageMaxima[account]!)
    accounts.setDailyLossMax(account, lossMaxima[account]!)
  }
}

function writeHoldings({ balances, positions }: Core, out: ByteWriter): void {
  out.i32(balances.count)
  out.columns(balances.count, [
    (balance) => balances.account(balance),
    (balance) => balances.asset(balance),
    (balance) => balances.total(balance),
  ])
  out.i32(positions.count)
  out.columns(positions.count, [(position) => positions.account(position), (position) => positions.symbol(position)])
  for (let figure = 0; figure < positionFigures; figure++) out.columns(positions.count, [(position) => positions.figure(position, figure)])
}

function readHoldings(core: Core, from: ByteReader): void {
  const { balances, positions } = core
  const [owners, assets, totals] = from.columns(from.i32(), 3) as Columns<3>
  balances.restore(owners, assets, totals, core.assets.length)
  for (let nth = 0; nth < owners.length; nth++) if (totals[nth]! < 0) core.borrowers.note(owners[nth]!)
  const count = from.i32()
  const [accounts, symbols, ...figures] = from.columns(count, 2 + positionFigures) as Columns<11>
  positions.reserve(count, core.markets.length)
  for (let nth = 0; nth < count; nth++) positions.setFigures(positionFor(core, accounts[nth]!, symbols[nth]!), figures, nth)
}

function writeOrders({ orders, positions }: Core, slots: readonly number[], out: ByteWriter): void {
  const slotOf = (nth: number): number => slots[nth]!
  out.i32(slots.length)
  out.texts(slots.length, orders.clientOrderIds, (nth) => (hasClientOrderId(orders.traits(slotOf(nth))) ? slotOf(nth) : none))
  out.columns(slots.length, [
    (nth) => orders.id(slotOf(nth)),
    (nth) => positions.account(orders.position(slotOf(nth))),
    (nth) => positions.symbol(orders.position(slotOf(nth))),
    // With the status in its upper bits.
    (nth) => orders.traits(slotOf(nth)),
    (nth) => orders.quantity(slotOf(nth)),
    (nth) => orders.price(slotOf(nth)),
    (nth) => orders.createdAtMs(slotOf(nth)),
    (nth) => orders.filled(slotOf(nth)),
    (nth) => orders.filledNotional(slotOf(nth)),
    (nth) => orders.fee(slotOf(nth)),
    (nth) => orders.updatedAtMs(slotOf(nth)),
  ])
  for (const slot of slots) if (isDetailed(orders.traits(slot))) writeDetails(orders.details(slot), out)
}

/** Reads the orders and rests them again. What they hold, and their places in lists, follow from them. */
function readOrders(core: Core, from: ByteReader): void {
  const { orders } = core
  const pending = from.i32()
  const count = from.i32()
  orders.reserve(from.texts(count))
  core.accountOrders.reserve(Math.min(count, core.accounts.count))
  const columns = from.columns(count, 11) as Columns<11>
  const [ids, accounts, symbols, traits, quantities, prices, times, filled, notionals, fees, updates] = columns
  let nth = 0
  restAll(core, count, pending, () => {
    const position = positionFor(core, accounts[nth]!, symbols[nth]!)
    const slot = orders.create(ids[nth]!, position, traits[nth]!, quantities[nth]!, prices[nth]!, times[nth]!)
    if (filled[nth]! > 0) orders.addFill(slot, filled[nth]!, notionals[nth]!, fees[nth]!, updates[nth]!)
    if (isDetailed(traits[nth]!)) readDetails(core, slot, from)
    nth += 1
    return slot
  })
}

/** Of an id: two figures of its result, four of its terms. */
const idFigures = [0, 1, 2, 3, 4, 5]

function writeWindow(window: IdWindow, out: ByteWriter): void {
  const places = window.places()
  out.i32(places.length)
  out.texts(places.length, window.texts, (nth) => places[nth]!)
  out.columns(places.length, [(nth) => window.account(places[nth]!)])
  for (const figure of idFigures) out.columns(places.length, [(nth) => window.figure(places[nth]!, figure)])
}

function readWindow(window: IdWindow, from: ByteReader): void {
  const count = from.i32()
  const texts = from.texts(count)
  const [accounts, ...figures] = from.columns(count, 1 + idFigures.length) as Columns<7>
  window.restore(texts, accounts, figures)
}

/** So many columns. */
type Columns<Count extends number, Found extends Float64Array[] = []> = Found['length'] extends Count
  ? Found
  : Columns<Count, [...Found, Float64Array]>

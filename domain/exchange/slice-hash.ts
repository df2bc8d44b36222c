import { ByteWriter, hash128, toHex } from './bytes.ts'
import type { Core } from './core.ts'
import type { IdWindow } from './id-window.ts'
import type { Market } from './markets.ts'
import { none } from './no-slot.ts'
import { writeVenueControls } from './snapshot-controls.ts'
import { writeOrder } from './snapshot-orders.ts'
import { isDetailed, isPending } from './traits.ts'

/**
 * A hash of a part of the state, for replicas to compare while they run: a hash of the whole would stop a large exchange for tens of milliseconds.
 * Which part it is follows from the state alone, so that any two replicas that have applied the same commands hash the same, also where one of them
 * began from a snapshot: nothing here depends on where a record lies. Part after part goes round, so that in time all is covered.
 */

/** To be raised with any change of what is hashed: hashes of two versions say nothing about each other. */
export const sliceHashVersion = 3
/** A hash is due at least once in so many commands, */
const everyCommands = 4_096
/** and with the first command of each second, so that a quiet exchange is compared too. */
const everyMs = 1_000

const accountsPerSlice = 256
/** Orders of a slice that are hashed at once; of more of them a share, another each time round. */
const ordersMax = 1_024
/** The same for markets in which an account of the slice has quotes, up to 200 in each. */
const quotedMax = 16
const idsPerSlice = 512

export interface SliceHash {
  /** Which part of the state it was, counted from 0. */
  readonly slice: number
  /** 128 bits in hexadecimal. */
  readonly hash: string
}

/** Whether a hash is due after a command, `beforeMs` being the time of the exchange before it. The same on every replica. */
export function isSliceDue(commandCount: number, timeMs: number, beforeMs: number): boolean {
  return commandCount % everyCommands === 0 || Math.floor(timeMs / everyMs) !== Math.floor(beforeMs / everyMs)
}

/** The hash of the slice whose turn it is: some accounts with all they own, what is remembered of some ids, and the sums and prices of the venue. */
export function hashSlice(core: Core): SliceHash {
  const { accounts } = core
  const slices = Math.max(1, Math.ceil(accounts.count / accountsPerSlice))
  // Grows by one from one hash that is due to the next, whichever of the two made it due.
  const turn = Math.floor(core.commandCount / everyCommands) + Math.floor(core.timeMs / everyMs)
  const slice = turn % slices
  const round = Math.floor(turn / slices)
  const out = new ByteWriter()
  out.i32(sliceHashVersion)
  out.i32(core.rules)
  out.f64(core.lastList)
  out.i32(core.lists.size)
  writeVenue(core, turn, out)
  const first = slice * accountsPerSlice
  const members = range(first, Math.min(first + accountsPerSlice, accounts.count))
  for (const account of members) writeAccount(core, account, out)
  writeOrdersOf(core, members, round, out)
  writeQuotesOf(core, members, round, out)
  for (const window of [core.clientOrders, core.references]) writeIds(window, turn, out)
  return { slice, hash: toHex(hash128(out.take())) }
}

function range(from: number, to: number): number[] {
  return Array.from({ length: Math.max(0, to - from) }, (_, index) => from + index)
}

function writeVenue(core: Core, turn: number, out: ByteWriter): void {
  const { commandCount, timeMs, lastOrder, lastTrade, dailyLossMax } = core
  for (const figure of [commandCount, timeMs, lastOrder, lastTrade, dailyLossMax]) out.f64(figure)
  for (const count of [core.accounts.count, core.balances.count, core.positions.count, core.orders.openCount]) out.i32(count)
  for (const asset of core.assets) {
    for (const sum of [asset.fees, asset.insurance, asset.deposits, asset.withdrawals]) {
      out.f64(sum.high)
      out.f64(sum.low)
    }
  }
  for (const market of core.markets) writeMarket(market, out)
  writeVenueControls(core, out)
  const shown = core.markets[turn % core.markets.length]?.terms
  if (shown) for (const name of Object.keys(shown).sort()) out.text(`${name} ${String(shown[name as keyof typeof shown])}`)
}

function writeMarket(market: Market, out: ByteWriter): void {
  out.i32(market.status)
  out.f64(market.mark)
  out.f64(market.lastPrice)
  out.f64(market.latestPrice)
  for (const side of [market.bids, market.asks, ...market.stops]) out.f64(side.bestPrice)
}

function writeAccount(core: Core, account: number, out: ByteWriter): void {
  const { accounts, balances, positions } = core
  const day = accounts.realizedDay(account)
  out.text(accounts.userIds.get(account))
  out.i32(accounts.flags(account))
  for (const figure of Object.values(accounts.controls(account))) out.f64(figure)
  out.f64(accounts.sequence(account))
  out.f64(day)
  out.f64(accounts.dayRealized(account, day))
  out.f64(accounts.positionNotionalMax(account))
  out.f64(accounts.leverageMaxHundredths(account))
  out.f64(accounts.dailyLossMax(account))
  for (const balance of balancesOf(core, account)) {
    out.i32(balances.asset(balance))
    out.f64(balances.total(balance))
    out.f64(balances.held(balance))
  }
  for (const position of positionsOf(core, account)) {
    out.i32(positions.symbol(position))
    for (const figure of positions.figures(position)) out.f64(figure)
    out.f64(positions.openBuy(position))
    out.f64(positions.openSell(position))
    out.i32(positions.openCount(position))
  }
}

/** By asset: the order of the list is of no account. */
function balancesOf(core: Core, account: number): number[] {
  const { accounts, balances } = core
  const found: number[] = []
  for (let balance = accounts.firstBalance(account); balance !== none; balance = balances.nextOfAccount(balance)) found.push(balance)
  return found.sort((a, b) => balances.asset(a) - balances.asset(b))
}

/** By market. */
function positionsOf(core: Core, account: number): number[] {
  const { accounts, positions } = core
  const found: number[] = []
  for (let position = accounts.firstPosition(account); position !== none; position = positions.nextOfAccount(position)) found.push(position)
  return found.sort((a, b) => positions.symbol(a) - positions.symbol(b))
}

function writeOrdersOf(core: Core, members: readonly number[], round: number, out: ByteWriter): void {
  const { orders } = core
  const slots = members.flatMap((account) => core.accountOrders.slots(account))
  const shares = Math.ceil(slots.length / ordersMax)
  const chosen = shares < 2 ? slots : slots.filter((slot) => orders.id(slot) % shares === round % shares)
  for (const slot of chosen.sort((a, b) => orders.id(a) - orders.id(b))) writePlacedOrder(core, slot, out)
}

function writeQuotesOf(core: Core, members: readonly number[], round: number, out: ByteWriter): void {
  const { orders, positions } = core
  const quoted = members
    .flatMap((account) => positionsOf(core, account))
    .filter((position) => positions.firstQuote(position, 0) !== none || positions.firstQuote(position, 1) !== none)
  const shares = Math.ceil(quoted.length / quotedMax)
  for (const [index, position] of quoted.entries()) {
    if (index % shares !== round % shares) continue
    for (const side of [0, 1]) {
      for (let slot = positions.firstQuote(position, side); slot !== none; slot = orders.nextQuote(slot)) writePlacedOrder(core, slot, out)
    }
  }
}

/** An order with its list, its neighbours in the queue, by their ids, and the sums of its level: so its priority is hashed as well. */
function writePlacedOrder(core: Core, slot: number, out: ByteWriter): void {
  const { orders, levels } = core
  writeOrder(core, slot, out)
  const list = isDetailed(orders.traits(slot)) ? core.lists.get(orders.details(slot).list) : undefined
  if (list) {
    out.text(list.clientListId)
    for (const figure of [list.kind, list.account, list.symbol, list.isWaiting ? 1 : 0, list.filled, ...list.legs]) out.f64(figure)
  }
  // One that waits for another of its list stands in no queue.
  if (isPending(orders.traits(slot))) return
  for (const neighbour of [orders.previous(slot), orders.next(slot)]) out.f64(neighbour === none ? 0 : orders.id(neighbour))
  const level = orders.level(slot)
  out.f64(levels.quantity(level))
  out.i32(levels.count(level))
}

function writeIds(window: IdWindow, turn: number, out: ByteWriter): void {
  out.i32(window.size)
  const first = (turn % Math.max(1, Math.ceil(window.size / idsPerSlice))) * idsPerSlice
  window.forEach(
    (account, text, figures) => {
      out.i32(account)
      out.text(text)
      for (const figure of figures) out.f64(figure)
    },
    first,
    Math.min(first + idsPerSlice, window.size),
  )
}

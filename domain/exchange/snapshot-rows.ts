import type { AccountMode } from '@maru/contracts/commands'
import { SnapshotError, type ByteReader, type ByteWriter } from './bytes.ts'
import type { Core } from './core.ts'
import type { IdWindow } from './id-window.ts'
import { none } from './no-slot.ts'
import { positionFigures } from './positions.ts'
import { readLists } from './snapshot-lists.ts'
import { positionFor, readFirstOrders, readOrders, writeFirstOrder } from './snapshot-orders.ts'

/**
 * Accounts, what they hold, orders and remembered ids, a row each: as states under rules 1 are written for ever (version 1), and as those of later rules were
 * until snapshots had columns (version 2, which is only read).
 */
export function writeRows(core: Core, slots: Int32Array, out: ByteWriter): void {
  writeAccounts(core, out)
  writeHoldings(core, out)
  out.i32(slots.length)
  for (const slot of slots) writeFirstOrder(core, slot, out)
  writeWindow(core.clientOrders, out)
  writeWindow(core.references, out)
}

export function readRows(core: Core, from: ByteReader): void {
  readAccounts(core, from)
  readHoldings(core, from)
  if (core.rules === 1) readFirstOrders(core, from)
  else {
    readOrders(core, from)
    readLists(core, from)
  }
  readWindow(core.clientOrders, from)
  readWindow(core.references, from)
}

function writeAccounts(core: Core, out: ByteWriter): void {
  const { accounts } = core
  out.i32(accounts.count)
  for (let account = 0; account < accounts.count; account++) {
    const day = accounts.realizedDay(account)
    out.text(accounts.userIds.get(account))
    out.i32(accounts.mode(account))
    out.f64(accounts.sequence(account))
    out.f64(day)
    out.f64(accounts.dayRealized(account, day))
    out.f64(accounts.positionNotionalMax(account))
    out.f64(accounts.leverageMaxHundredths(account))
    out.f64(accounts.dailyLossMax(account))
  }
}

function readAccounts(core: Core, from: ByteReader): void {
  const { accounts } = core
  for (let left = from.i32(); left > 0; left--) {
    const account = accounts.open(from.text())
    accounts.setMode(account, from.i32() as AccountMode)
    accounts.setSequence(account, from.f64())
    accounts.addDayRealized(account, from.f64(), from.f64())
    accounts.setPositionNotionalMax(account, from.f64())
    accounts.setLeverageMaxHundredths(account, from.f64())
    accounts.setDailyLossMax(account, from.f64())
  }
}

function writeHoldings(core: Core, out: ByteWriter): void {
  const { balances, positions } = core
  out.i32(balances.count)
  for (let balance = 0; balance < balances.count; balance++) {
    out.i32(balances.account(balance))
    out.i32(balances.asset(balance))
    out.f64(balances.total(balance))
  }
  out.i32(positions.count)
  for (let position = 0; position < positions.count; position++) {
    out.i32(positions.account(position))
    out.i32(positions.symbol(position))
    for (const figure of positions.figures(position)) out.f64(figure)
  }
}

function readHoldings(core: Core, from: ByteReader): void {
  const { balances, positions } = core
  for (let left = from.i32(); left > 0; left--) {
    const balance = balances.of(from.i32(), from.i32())
    balances.setTotal(balance, from.f64())
    if (balances.total(balance) < 0) core.borrowers.note(balances.account(balance))
  }
  const figures = Array.from({ length: positionFigures }, () => new Float64Array(1))
  for (let left = from.i32(); left > 0; left--) {
    const position = positionFor(core, from.i32(), from.i32())
    for (const figure of figures) figure[0] = from.f64()
    positions.setFigures(position, figures, 0)
  }
}

function writeWindow(window: IdWindow, out: ByteWriter): void {
  out.i32(window.size)
  window.forEach((account, text, figures) => {
    out.i32(account)
    out.text(text)
    for (const figure of figures) out.f64(figure)
  })
}

function readWindow(window: IdWindow, from: ByteReader): void {
  for (let left = from.i32(); left > 0; left--) {
    const account = from.i32()
    const text = from.text()
    if (window.find(account, text) !== none) throw new SnapshotError('the snapshot has an id twice')
    window.addMissing(account, text, from.f64(), from.f64(), from.f64(), from.f64(), from.f64(), from.f64())
  }
}

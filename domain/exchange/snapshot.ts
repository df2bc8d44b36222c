import type { AccountMode, MarketStatus } from '@maru/contracts/commands'
import { createAsset, createMarket } from './administration.ts'
import type { BookSide } from './book-side.ts'
import { ByteReader, ByteWriter, hash128, SnapshotError, toHex } from './bytes.ts'
import { Core } from './core.ts'
import type { ExactSum } from './exact-sum.ts'
import type { IdWindow } from './id-window.ts'
import type { MarketTerms } from './markets.ts'
import { none } from './no-slot.ts'
import { positionFigures } from './positions.ts'
import { readControls, writeControls } from './snapshot-controls.ts'
import { readFirstOrders, readOrders, writeFirstOrder, writeOrder } from './snapshot-orders.ts'
import { pendingOrders, readLists, writeLists } from './snapshot-lists.ts'

/** `MARU`, then the version, then four lanes of the hash of the body, then 8 bytes of nothing. */
const headerBytes = 32
const magic = 0x5552414d
/** Of a state under rules 1, byte for byte as releases wrote it that knew no others; version 2 has what came with rules 2. */
const firstVersion = 1
const newestVersion = 2

/** The state as bytes: what cannot be derived, in an order that depends on the state alone. So its hash is the hash of the state. */
export function writeSnapshot(core: Core): Uint8Array {
  const body = writeBody(core)
  const lanes = hash128(body)
  const bytes = new Uint8Array(headerBytes + body.length)
  const view = new DataView(bytes.buffer)
  view.setInt32(0, magic, true)
  view.setInt32(4, core.rules === 1 ? firstVersion : newestVersion, true)
  for (let lane = 0; lane < 4; lane++) view.setInt32(8 + lane * 4, lanes[lane]!, true)
  bytes.set(body, headerBytes)
  return bytes
}

/** The hash of the state in a snapshot, as `hashState` gives it, from its header. */
export function hashInSnapshot(bytes: Uint8Array): string {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  return toHex(Int32Array.from({ length: 4 }, (_, lane) => view.getInt32(8 + lane * 4, true)))
}

export function hashState(core: Core): string {
  return toHex(hash128(writeBody(core)))
}

/** Rebuilds a state. Throws SnapshotError where the bytes are damaged, or of a version this release does not read. */
export function readSnapshot(bytes: Uint8Array): Core {
  if (bytes.length < headerBytes || bytes.length % 16 !== 0) throw new SnapshotError('the snapshot has an impossible length')
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (view.getInt32(0, true) !== magic) throw new SnapshotError('these bytes are no snapshot')
  const version = view.getInt32(4, true)
  if (version !== firstVersion && version !== newestVersion)
    throw new SnapshotError(`the snapshot has version ${version}, this release reads up to ${newestVersion}`)
  const body = bytes.subarray(headerBytes)
  const lanes = hash128(body)
  for (let lane = 0; lane < 4; lane++) {
    if (view.getInt32(8 + lane * 4, true) !== lanes[lane]) throw new SnapshotError('the snapshot is damaged: its checksum does not fit')
  }
  return readBody(new ByteReader(body), version)
}

function writeBody(core: Core): Uint8Array {
  const out = new ByteWriter()
  const isFirst = core.rules === 1
  if (!isFirst) out.f64(core.rules)
  out.f64(core.clientOrders.capacity)
  out.f64(core.commandCount)
  out.f64(core.timeMs)
  out.f64(core.lastOrder)
  out.f64(core.lastTrade)
  writeAssets(core, out)
  writeMarkets(core, out)
  writeAccounts(core, out)
  writeHoldings(core, out)
  out.i32(core.orders.openCount)
  if (!isFirst) out.i32(pendingOrders(core).length)
  const write = isFirst ? writeFirstOrder : writeOrder
  for (const market of core.markets) {
    for (const side of market.sides) forEachResting(core, side, (slot) => write(core, slot, out))
  }
  if (!isFirst) writeLists(core, out)
  writeWindow(core.clientOrders, out)
  writeWindow(core.references, out)
  if (!isFirst) writeControls(core, out)
  return out.take()
}

function readBody(from: ByteReader, version: number): Core {
  const rules = version === firstVersion ? 1 : from.f64()
  const core = new Core(from.f64())
  core.rules = rules
  core.commandCount = from.f64()
  core.timeMs = from.f64()
  core.startDay()
  core.lastOrder = from.f64()
  core.lastTrade = from.f64()
  readAssets(core, from)
  readMarkets(core, from)
  readAccounts(core, from)
  readHoldings(core, from)
  if (rules === 1) readFirstOrders(core, from)
  else readLists(core, from, readOrders(core, from))
  readWindow(core.clientOrders, from)
  // A snapshot does not say which ids were forgotten; whoever keeps them recalls them.
  core.forgottenIds.isComplete = core.clientOrders.size < core.clientOrders.capacity
  readWindow(core.references, from)
  if (rules > 1) readControls(core, from)
  return core
}

/** Visits a side best price first, within a price oldest first. */
function forEachResting(core: Core, side: BookSide, visit: (slot: number) => void): void {
  for (let place = side.bestPlace; place !== none; place = side.nextPlace(place)) {
    for (let slot = core.levels.first(side.levelAt(place)); slot !== none; slot = core.orders.next(slot)) visit(slot)
  }
}

function writeAssets(core: Core, out: ByteWriter): void {
  out.i32(core.assets.length)
  for (const asset of core.assets) {
    out.text(asset.name)
    out.i32(asset.scale)
    for (const sum of [asset.fees, asset.insurance, asset.deposits, asset.withdrawals]) {
      out.f64(sum.high)
      out.f64(sum.low)
    }
  }
}

function readAssets(core: Core, from: ByteReader): void {
  for (let left = from.i32(); left > 0; left--) {
    const asset = createAsset(core, from.text(), from.i32())
    for (const sum of [asset.fees, asset.insurance, asset.deposits, asset.withdrawals]) readSum(sum, from)
  }
}

function readSum(sum: ExactSum, from: ByteReader): void {
  sum.high = from.f64()
  sum.low = from.f64()
}

const termFigures = [
  'priceScale',
  'quantityScale',
  'tickUnits',
  'lotUnits',
  'quantityMinLots',
  'quantityMaxLots',
  'priceMaxTicks',
  'notionalMin',
  'makerFeePpm',
  'takerFeePpm',
] as const satisfies readonly (keyof MarketTerms)[]

function writeMarkets(core: Core, out: ByteWriter): void {
  out.i32(core.markets.length)
  for (const market of core.markets) {
    out.text(market.terms.name)
    for (const figure of termFigures) out.f64(market.terms[figure])
    out.i32(market.status)
    out.f64(market.mark)
    out.f64(market.lastPrice)
    out.f64(market.latestPrice)
  }
}

function readMarkets(core: Core, from: ByteReader): void {
  for (let left = from.i32(); left > 0; left--) {
    const terms = { name: from.text() } as MarketTerms
    for (const figure of termFigures) terms[figure] = from.f64()
    if (createMarket(core, terms) !== 0) throw new SnapshotError(`the snapshot has an impossible market ${terms.name}`)
    const market = core.markets.at(-1)!
    market.setStatus(from.i32() as MarketStatus)
    market.mark = from.f64()
    market.lastPrice = from.f64()
    market.latestPrice = from.f64()
  }
}

function writeAccounts(core: Core, out: ByteWriter): void {
  const { accounts } = core
  out.i32(accounts.count)
  for (let account = 0; account < accounts.count; account++) {
    const day = accounts.realizedDay(account)
    out.text(accounts.userIds[account]!)
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
  const figures: number[] = Array.from({ length: positionFigures }, () => 0.5)
  for (let left = from.i32(); left > 0; left--) {
    const account = from.i32()
    const market = core.market(from.i32())
    if (!market || !core.accounts.has(account)) throw new SnapshotError('the snapshot has a position of nobody or in no market')
    for (let figure = 0; figure < positionFigures; figure++) figures[figure] = from.f64()
    positions.setFigures(core.positionOf(account, market), figures)
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

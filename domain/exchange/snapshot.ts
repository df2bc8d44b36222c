import type { MarketStatus } from '@maru/contracts/commands'
import { createAsset, createMarket } from './administration.ts'
import { ByteReader, ByteWriter, hash128, SnapshotError, toHex } from './bytes.ts'
import { Core } from './core.ts'
import type { ExactSum } from './exact-sum.ts'
import type { MarketTerms } from './markets.ts'
import { none } from './no-slot.ts'
import { readColumns, writeColumns } from './snapshot-columns.ts'
import { readControls, writeControls } from './snapshot-controls.ts'
import { pendingOrders, readLists, writeLists } from './snapshot-lists.ts'
import { readRows, writeRows } from './snapshot-rows.ts'

/** `MARU`, then the version, then four lanes of the hash of the body, then 8 bytes of nothing. */
const headerBytes = 32
const magic = 0x5552414d
/** Of a state under rules 1, byte for byte as releases wrote it that knew no others. */
const firstVersion = 1
/** Version 2 has what came with rules 2, and is only read; version 3 has columns where it had a row for each account, order and id. */
const lastVersionOfRows = 2
const newestVersion = 3

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
  if (version < firstVersion || version > newestVersion)
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
  const resting = restingOrders(core)
  if (isFirst) writeRows(core, resting, out)
  else {
    writeColumns(core, resting, pendingOrders(core), out)
    writeLists(core, out)
    writeControls(core, out)
  }
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
  if (version <= lastVersionOfRows) readRows(core, from)
  else readColumns(core, from)
  // A snapshot does not say which ids were forgotten; whoever keeps them recalls them.
  core.forgottenIds.isComplete = core.clientOrders.size < core.clientOrders.capacity
  if (version > lastVersionOfRows) readLists(core, from)
  if (rules > 1) readControls(core, from)
  return core
}

/** Slots of all orders in books and among stops, by market and side, best price first, within a price oldest first. */
function restingOrders(core: Core): Int32Array {
  const { levels, orders } = core
  const slots = new Int32Array(orders.openCount)
  let count = 0
  for (const side of core.markets.flatMap((market) => market.sides)) {
    for (let level = side.bestLevel; level !== none; level = side.levelAfter(level)) {
      for (let slot = levels.first(level); slot !== none; slot = orders.next(slot)) slots[count++] = slot
    }
  }
  return slots.subarray(0, count)
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

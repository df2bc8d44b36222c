import { RecordReader, RecordWriter } from './codec/record-bytes.ts'
import { isSeldom, readSeldom, writeSeldom } from './codec/seldom-commands.ts'
import { CommandKind, unamended, type Command, type OrderExtras, type PlaceList, type PlaceOrder } from './commands.ts'

/**
 * Binary form of a batch of commands, as one record of `trading.commands`. Little-endian, hand-laid, versioned:
 * `u8 version, u32 count, command…`; a command is `u8 kind, f64 time, field…`. Integers that may pass 32 bits are f64
 * (exact to 2^53); texts are `u16 bytes, UTF-8`. A form once written is read for ever: new fields take a new version.
 *
 * Version 1 is written wherever it can say all there is to say, so that a release that knows no other goes on reading until the rules that need
 * version 2 are switched on. Version 2 adds the extras of orders and the kinds from 14 on. Version 3 adds terms of amendments, and is written where a
 * record has such.
 */
const plainVersion = 1
const secondVersion = 2
const newestVersion = 3
/** Legs of a list, at most. */
const legsMax = 8

/** A record that cannot be read as a batch of commands. Every replica skips it alike. */
export class UnreadableBatchError extends Error {
  override name = 'UnreadableBatchError'
}

const writer = new RecordWriter()

/** Encodes commands as one record. Texts over 65,535 bytes throw RangeError; contracts keep them far shorter. */
export function encodeBatch(commands: readonly Command[]): Uint8Array {
  const version = commands.every(isPlain) ? plainVersion : commands.some(amendsMore) ? newestVersion : secondVersion
  writer.reset()
  writer.u8(version)
  writer.i32(commands.length)
  for (const command of commands) writeCommand(command, version)
  return writer.take()
}

/** Whether version 1 has all of it. */
function isPlain(command: Command): boolean {
  if (command.kind === CommandKind.placeOrder) return command.extras === null
  return command.kind < CommandKind.setRules && (command.kind !== CommandKind.setMarketStatus || command.auctionMs === 0)
}

/** Whether only version 3 has all of it. */
function amendsMore(command: Command): boolean {
  if (command.kind !== CommandKind.amendOrder) return false
  const { trailingOffset, expiresAtMs, displayQuantity } = unamended
  return command.trailingOffset !== trailingOffset || command.expiresAtMs !== expiresAtMs || command.displayQuantity !== displayQuantity
}

function writeCommand(command: Command, version: number): void {
  writer.u8(command.kind)
  writer.f64(command.time)
  switch (command.kind) {
    case CommandKind.placeOrder:
      writeOrder(command, version)
      return
    case CommandKind.cancelOrder:
      writer.i32(command.account)
      writer.f64(command.order)
      return
    case CommandKind.cancelAll:
      writer.i32(command.account)
      writer.i32(command.symbol)
      return
    case CommandKind.massQuote:
      writer.i32(command.account)
      writer.i32(command.symbol)
      writer.levels(command.bids)
      writer.levels(command.asks)
      return
    case CommandKind.markPrice:
      writer.i32(command.symbol)
      writer.f64(command.price)
      return
    case CommandKind.replaceOrder:
      writer.f64(command.order)
      writeOrder(command.placement, version)
      return
    case CommandKind.placeList:
      writer.u8(command.listKind)
      writer.i32(command.account)
      writer.text(command.clientListId)
      writer.u8(command.legs.length)
      for (const leg of command.legs) writeOrder(leg, version)
      return
    default:
      writeSeldom(writer, command, version)
  }
}

function writeOrder(order: PlaceOrder, version: number): void {
  writer.i32(order.account)
  writer.i32(order.symbol)
  writer.u8(order.side)
  writer.u8(order.orderType)
  writer.u8(order.timeInForce)
  writer.f64(order.quantity)
  writer.f64(order.price)
  writer.f64(order.stopPrice)
  writer.text(order.clientOrderId)
  if (version === plainVersion) return
  const { extras } = order
  writer.u8(extras === null ? 0 : 1)
  if (extras === null) return
  writer.u8((extras.isPostOnly ? 1 : 0) | (extras.isReduceOnly ? 2 : 0))
  writer.u8(extras.selfTrade)
  writer.u8(extras.trigger)
  writer.u8(extras.trailingUnit)
  writer.f64(extras.displayQuantity)
  writer.f64(extras.expiresAtMs)
  writer.f64(extras.trailingOffset)
  writer.f64(extras.quoteQuantity)
}

/** Decodes one record. Throws UnreadableBatchError for whatever is not exactly a batch of a known version. */
export function decodeBatch(bytes: Uint8Array): Command[] {
  try {
    const reader = new RecordReader(bytes)
    const version = reader.u8()
    if (version < plainVersion || version > newestVersion) throw new UnreadableBatchError('unknown version')
    const count = reader.i32()
    const commands: Command[] = []
    for (let index = 0; index < count; index++) commands.push(readCommand(reader, version))
    if (!reader.atEnd) throw new UnreadableBatchError('bytes are left over')
    return commands
  } catch (error) {
    if (error instanceof UnreadableBatchError) throw error
    throw new UnreadableBatchError((error as Error).message, { cause: error })
  }
}

function readCommand(reader: RecordReader, version: number): Command {
  const kind = reader.u8() as CommandKind
  const time = reader.f64()
  switch (kind) {
    case CommandKind.placeOrder:
      return readOrder(reader, time, version)
    case CommandKind.cancelOrder:
      return { kind, time, account: reader.i32(), order: reader.f64() }
    case CommandKind.cancelAll:
      return { kind, time, account: reader.i32(), symbol: reader.i32() }
    case CommandKind.massQuote:
      return { kind, time, account: reader.i32(), symbol: reader.i32(), bids: reader.levels(), asks: reader.levels() }
    case CommandKind.markPrice:
      return { kind, time, symbol: reader.i32(), price: reader.f64() }
    case CommandKind.replaceOrder:
      return { kind, time, order: reader.f64(), placement: readOrder(reader, time, version) }
    case CommandKind.placeList:
      return readList(reader, time, version)
    default:
      if (isSeldom(kind)) return readSeldom(reader, kind, time, version)
      throw new UnreadableBatchError(`unknown command kind ${String(kind)}`)
  }
}

function readList(reader: RecordReader, time: number, version: number): PlaceList {
  const list: PlaceList = {
    kind: CommandKind.placeList,
    time,
    listKind: reader.u8() as never,
    account: reader.i32(),
    clientListId: reader.text(),
    legs: [],
  }
  const count = reader.u8()
  if (count > legsMax) throw new UnreadableBatchError('a list has too many legs')
  for (let leg = 0; leg < count; leg++) list.legs.push(readOrder(reader, time, version))
  return list
}

function readOrder(reader: RecordReader, time: number, version: number): PlaceOrder {
  return {
    kind: CommandKind.placeOrder,
    time,
    account: reader.i32(),
    symbol: reader.i32(),
    side: reader.u8() as never,
    orderType: reader.u8() as never,
    timeInForce: reader.u8() as never,
    quantity: reader.f64(),
    price: reader.f64(),
    stopPrice: reader.f64(),
    clientOrderId: reader.text(),
    extras: version === plainVersion || reader.u8() === 0 ? null : readExtras(reader),
  }
}

function readExtras(reader: RecordReader): OrderExtras {
  const flags = reader.u8()
  return {
    isPostOnly: (flags & 1) !== 0,
    isReduceOnly: (flags & 2) !== 0,
    selfTrade: reader.u8() as never,
    trigger: reader.u8() as never,
    trailingUnit: reader.u8() as never,
    displayQuantity: reader.f64(),
    expiresAtMs: reader.f64(),
    trailingOffset: reader.f64(),
    quoteQuantity: reader.f64(),
  }
}

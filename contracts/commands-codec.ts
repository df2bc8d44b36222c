import { CommandKind, type Command } from './commands.ts'

/**
 * Binary form of a batch of commands, as one record of `trading.commands`. Little-endian, hand-laid, versioned:
 * `u8 version, u32 count, command…`; a command is `u8 kind, f64 time, field…`. Integers that may pass 32 bits are f64
 * (exact to 2^53); texts are `u16 bytes, UTF-8`. A form once written is read for ever: new fields take a new version.
 */
const version = 1

/** A record that cannot be read as a batch of commands. Every replica skips it alike. */
export class UnreadableBatchError extends Error {
  override name = 'UnreadableBatchError'
}

const textEncoder = new TextEncoder()
const textDecoder = new TextDecoder('utf-8', { fatal: true })

class Writer {
  #bytes = new Uint8Array(4_096)
  #view = new DataView(this.#bytes.buffer)
  #at = 0

  #room(size: number): void {
    if (this.#at + size <= this.#bytes.length) return
    const grown = new Uint8Array(Math.max(this.#bytes.length * 2, this.#at + size))
    grown.set(this.#bytes)
    this.#bytes = grown
    this.#view = new DataView(grown.buffer)
  }
  reset(): void {
    this.#at = 0
  }
  u8(value: number): void {
    this.#room(1)
    this.#view.setUint8(this.#at, value)
    this.#at += 1
  }
  i32(value: number): void {
    this.#room(4)
    this.#view.setInt32(this.#at, value, true)
    this.#at += 4
  }
  f64(value: number): void {
    this.#room(8)
    this.#view.setFloat64(this.#at, value, true)
    this.#at += 8
  }
  text(value: string): void {
    // Most texts are short ASCII: written byte by byte they cost no allocation.
    const { length } = value
    this.#room(2 + length * 3)
    const start = this.#at + 2
    let at = start
    for (let index = 0; index < length; index++) {
      const code = value.charCodeAt(index)
      if (code >= 0x80) {
        const encoded = textEncoder.encode(value)
        this.#bytes.set(encoded, start)
        at = start + encoded.length
        break
      }
      this.#bytes[at++] = code
    }
    this.#view.setUint16(this.#at, at - start, true)
    this.#at = at
  }
  levels(values: readonly number[]): void {
    this.i32(values.length)
    for (const value of values) this.f64(value)
  }
  take(): Uint8Array {
    return this.#bytes.slice(0, this.#at)
  }
}

class Reader {
  readonly #bytes: Uint8Array
  readonly #view: DataView
  #at = 0

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }
  get atEnd(): boolean {
    return this.#at === this.#bytes.length
  }
  u8(): number {
    return this.#view.getUint8(this.#at++)
  }
  i32(): number {
    const value = this.#view.getInt32(this.#at, true)
    this.#at += 4
    return value
  }
  f64(): number {
    const value = this.#view.getFloat64(this.#at, true)
    this.#at += 8
    return value
  }
  text(): string {
    const length = this.#view.getUint16(this.#at, true)
    const start = this.#at + 2
    this.#at = start + length
    if (this.#at > this.#bytes.length) throw new RangeError('text runs past the end')
    if (length === 0) return ''
    return textDecoder.decode(this.#bytes.subarray(start, this.#at))
  }
  levels(): number[] {
    const length = this.i32()
    if (length < 0 || length * 8 > this.#bytes.length - this.#at) throw new RangeError('levels run past the end')
    const values: number[] = []
    for (let index = 0; index < length; index++) values.push(this.f64())
    return values
  }
}

const writer = new Writer()

/** Encodes commands as one record. Texts over 65,535 bytes throw RangeError; contracts keep them far shorter. */
export function encodeBatch(commands: readonly Command[]): Uint8Array {
  writer.reset()
  writer.u8(version)
  writer.i32(commands.length)
  for (const command of commands) writeCommand(command)
  return writer.take()
}

function writeCommand(command: Command): void {
  writer.u8(command.kind)
  writer.f64(command.time)
  switch (command.kind) {
    case CommandKind.placeOrder:
      writer.i32(command.account)
      writer.i32(command.symbol)
      writer.u8(command.side)
      writer.u8(command.orderType)
      writer.u8(command.timeInForce)
      writer.f64(command.quantity)
      writer.f64(command.price)
      writer.f64(command.stopPrice)
      writer.text(command.clientOrderId)
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
    case CommandKind.addAsset:
      writer.text(command.name)
      writer.i32(command.scale)
      return
    case CommandKind.addMarket:
      writer.text(command.name)
      writer.i32(command.priceScale)
      writer.i32(command.quantityScale)
      writer.f64(command.tickUnits)
      writer.f64(command.lotUnits)
      writer.f64(command.quantityMinLots)
      writer.f64(command.quantityMaxLots)
      writer.f64(command.priceMaxTicks)
      writer.f64(command.notionalMin)
      writer.i32(command.makerFeePpm)
      writer.i32(command.takerFeePpm)
      return
    case CommandKind.openAccount:
      writer.text(command.userId)
      writer.i32(command.grants.length)
      for (const grant of command.grants) {
        writer.i32(grant.asset)
        writer.f64(grant.amount)
      }
      return
    case CommandKind.moveFunds:
      writer.i32(command.account)
      writer.i32(command.asset)
      writer.f64(command.amount)
      writer.text(command.reference)
      writer.text(command.actor)
      return
    case CommandKind.setLimits:
      writer.i32(command.account)
      writer.i32(command.symbol)
      writer.f64(command.positionNotionalMax)
      writer.f64(command.leverageMaxHundredths)
      writer.f64(command.dailyLossMax)
      writer.text(command.actor)
      return
    case CommandKind.setMode:
      writer.i32(command.account)
      writer.u8(command.mode)
      writer.text(command.actor)
      return
    case CommandKind.bookFill:
      writer.i32(command.account)
      writer.i32(command.symbol)
      writer.u8(command.side)
      writer.f64(command.quantity)
      writer.f64(command.price)
      writer.text(command.reference)
      writer.text(command.actor)
      return
    case CommandKind.setMarketStatus:
      writer.i32(command.symbol)
      writer.u8(command.status)
      writer.text(command.actor)
      return
    default:
      command satisfies never
  }
}

/** Decodes one record. Throws UnreadableBatchError for whatever is not exactly a batch of a known version. */
export function decodeBatch(bytes: Uint8Array): Command[] {
  try {
    const reader = new Reader(bytes)
    if (reader.u8() !== version) throw new UnreadableBatchError('unknown version')
    const count = reader.i32()
    const commands: Command[] = []
    for (let index = 0; index < count; index++) commands.push(readCommand(reader))
    if (!reader.atEnd) throw new UnreadableBatchError('bytes are left over')
    return commands
  } catch (error) {
    if (error instanceof UnreadableBatchError) throw error
    throw new UnreadableBatchError((error as Error).message, { cause: error })
  }
}

function readCommand(reader: Reader): Command {
  const kind = reader.u8() as CommandKind
  const time = reader.f64()
  switch (kind) {
    case CommandKind.placeOrder:
      return {
        kind,
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
      }
    case CommandKind.cancelOrder:
      return { kind, time, account: reader.i32(), order: reader.f64() }
    case CommandKind.cancelAll:
      return { kind, time, account: reader.i32(), symbol: reader.i32() }
    case CommandKind.massQuote:
      return { kind, time, account: reader.i32(), symbol: reader.i32(), bids: reader.levels(), asks: reader.levels() }
    case CommandKind.markPrice:
      return { kind, time, symbol: reader.i32(), price: reader.f64() }
    case CommandKind.addAsset:
      return { kind, time, name: reader.text(), scale: reader.i32() }
    case CommandKind.addMarket:
      return {
        kind,
        time,
        name: reader.text(),
        priceScale: reader.i32(),
        quantityScale: reader.i32(),
        tickUnits: reader.f64(),
        lotUnits: reader.f64(),
        quantityMinLots: reader.f64(),
        quantityMaxLots: reader.f64(),
        priceMaxTicks: reader.f64(),
        notionalMin: reader.f64(),
        makerFeePpm: reader.i32(),
        takerFeePpm: reader.i32(),
      }
    case CommandKind.openAccount: {
      const userId = reader.text()
      const count = reader.i32()
      const grants: { asset: number; amount: number }[] = []
      for (let index = 0; index < count; index++) grants.push({ asset: reader.i32(), amount: reader.f64() })
      return { kind, time, userId, grants }
    }
    case CommandKind.moveFunds:
      return {
        kind,
        time,
        account: reader.i32(),
        asset: reader.i32(),
        amount: reader.f64(),
        reference: reader.text(),
        actor: reader.text(),
      }
    case CommandKind.setLimits:
      return {
        kind,
        time,
        account: reader.i32(),
        symbol: reader.i32(),
        positionNotionalMax: reader.f64(),
        leverageMaxHundredths: reader.f64(),
        dailyLossMax: reader.f64(),
        actor: reader.text(),
      }
    case CommandKind.setMode:
      return { kind, time, account: reader.i32(), mode: reader.u8() as never, actor: reader.text() }
    case CommandKind.bookFill:
      return {
        kind,
        time,
        account: reader.i32(),
        symbol: reader.i32(),
        side: reader.u8() as never,
        quantity: reader.f64(),
        price: reader.f64(),
        reference: reader.text(),
        actor: reader.text(),
      }
    case CommandKind.setMarketStatus:
      return { kind, time, symbol: reader.i32(), status: reader.u8() as never, actor: reader.text() }
    default:
      kind satisfies never
      throw new UnreadableBatchError(`unknown command kind ${String(kind)}`)
  }
}

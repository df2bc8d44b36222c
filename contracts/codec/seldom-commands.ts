import { CommandKind, type Command } from '../commands.ts'
import type { RecordReader, RecordWriter } from './record-bytes.ts'

/** How a field stands in a record. `since` is the version of the record from which on it does; before, it is `absent`, or 0. */
type Field = readonly [name: string, form: 'i32' | 'u8' | 'f64' | 'text' | 'flag' | 'grants', since?: number, absent?: number]

/** Commands that are no orders, quotes or marks: their fields in the order in which they are written. For ever: append only, with `since`. */
const fields = {
  [CommandKind.addAsset]: [
    ['name', 'text'],
    ['scale', 'i32'],
  ],
  [CommandKind.addMarket]: [
    ['name', 'text'],
    ['priceScale', 'i32'],
    ['quantityScale', 'i32'],
    ['tickUnits', 'f64'],
    ['lotUnits', 'f64'],
    ['quantityMinLots', 'f64'],
    ['quantityMaxLots', 'f64'],
    ['priceMaxTicks', 'f64'],
    ['notionalMin', 'f64'],
    ['makerFeePpm', 'i32'],
    ['takerFeePpm', 'i32'],
  ],
  [CommandKind.openAccount]: [
    ['userId', 'text'],
    ['grants', 'grants'],
  ],
  [CommandKind.moveFunds]: [
    ['account', 'i32'],
    ['asset', 'i32'],
    ['amount', 'f64'],
    ['reference', 'text'],
    ['actor', 'text'],
  ],
  [CommandKind.setLimits]: [
    ['account', 'i32'],
    ['symbol', 'i32'],
    ['positionNotionalMax', 'f64'],
    ['leverageMaxHundredths', 'f64'],
    ['dailyLossMax', 'f64'],
    ['actor', 'text'],
  ],
  [CommandKind.setMode]: [
    ['account', 'i32'],
    ['mode', 'u8'],
    ['actor', 'text'],
  ],
  [CommandKind.bookFill]: [
    ['account', 'i32'],
    ['symbol', 'i32'],
    ['side', 'u8'],
    ['quantity', 'f64'],
    ['price', 'f64'],
    ['reference', 'text'],
    ['actor', 'text'],
  ],
  [CommandKind.setMarketStatus]: [
    ['symbol', 'i32'],
    ['status', 'u8'],
    ['actor', 'text'],
    ['auctionMs', 'f64', 2],
  ],
  [CommandKind.setRules]: [
    ['rules', 'i32'],
    ['actor', 'text'],
  ],
  [CommandKind.tick]: [],
  [CommandKind.amendOrder]: [
    ['account', 'i32'],
    ['order', 'f64'],
    ['quantity', 'f64'],
    ['price', 'f64'],
    ['stopPrice', 'f64'],
    ['trailingOffset', 'f64', 3, -1],
    ['trailingUnit', 'u8', 3],
    ['expiresAtMs', 'f64', 3, -1],
    ['displayQuantity', 'f64', 3, -1],
  ],
  [CommandKind.setKillSwitch]: [
    ['account', 'i32'],
    ['symbol', 'i32'],
    ['isOn', 'flag'],
    ['byOperator', 'flag'],
    ['actor', 'text'],
  ],
  [CommandKind.cancelAllAfter]: [
    ['account', 'i32'],
    ['timeoutMs', 'f64'],
  ],
  [CommandKind.setMarketRules]: [
    ['symbol', 'i32'],
    ['collarPpm', 'f64'],
    ['limitBandPpm', 'f64'],
    ['maintenancePpm', 'f64'],
    ['haltMovePpm', 'f64'],
    ['haltWindowMs', 'f64'],
    ['haltForMs', 'f64'],
    ['auctionForMs', 'f64'],
    ['actor', 'text'],
  ],
  [CommandKind.setAccountControls]: [
    ['account', 'i32'],
    ['tradeGroup', 'f64'],
    ['feeTier', 'f64'],
    ['reduceOnly', 'f64'],
    ['messagesPerSecondMax', 'f64'],
    ['openOrdersMax', 'f64'],
    ['actor', 'text'],
  ],
  [CommandKind.setFees]: [
    ['tier', 'i32'],
    ['symbol', 'i32'],
    ['makerFeePpm', 'f64'],
    ['takerFeePpm', 'f64'],
    ['actor', 'text'],
  ],
  [CommandKind.transferFunds]: [
    ['from', 'i32'],
    ['to', 'i32'],
    ['asset', 'i32'],
    ['amount', 'f64'],
    ['reference', 'text'],
    ['actor', 'text'],
  ],
  [CommandKind.moveInsurance]: [
    ['asset', 'i32'],
    ['amount', 'f64'],
    ['reference', 'text'],
    ['actor', 'text'],
  ],
} as const satisfies Partial<Record<CommandKind, readonly Field[]>>

type SeldomKind = keyof typeof fields
export type SeldomCommand = Extract<Command, { kind: SeldomKind }>

export function isSeldom(kind: number): kind is SeldomKind {
  return Object.hasOwn(fields, kind)
}

export function writeSeldom(writer: RecordWriter, command: SeldomCommand, version: number): void {
  const values = command as unknown as Record<string, never>
  for (const [name, form, since = 1] of fields[command.kind] as readonly Field[]) {
    if (since > version) continue
    const value = values[name]!
    if (form === 'flag') writer.u8(value ? 1 : 0)
    else if (form === 'grants') writeGrants(writer, value)
    else writer[form](value)
  }
}

export function readSeldom(reader: RecordReader, kind: SeldomKind, time: number, version: number): SeldomCommand {
  const command: Record<string, unknown> = { kind, time }
  for (const [name, form, since = 1, absent = 0] of fields[kind] as readonly Field[]) {
    if (since > version) command[name] = absent
    else if (form === 'flag') command[name] = reader.u8() !== 0
    else if (form === 'grants') command[name] = readGrants(reader)
    else command[name] = reader[form]()
  }
  return command as unknown as SeldomCommand
}

interface Grant {
  asset: number
  amount: number
}

function writeGrants(writer: RecordWriter, grants: readonly Grant[]): void {
  writer.i32(grants.length)
  for (const { asset, amount } of grants) {
    writer.i32(asset)
    writer.f64(amount)
  }
}

function readGrants(reader: RecordReader): Grant[] {
  const grants: Grant[] = []
  for (let left = reader.i32(); left > 0; left--) grants.push({ asset: reader.i32(), amount: reader.f64() })
  return grants
}

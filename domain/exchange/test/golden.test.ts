import { readFileSync } from 'node:fs'
import { gunzipSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import type { Command } from '@maru/contracts'
import { decodeBatch, encodeBatch } from '@maru/contracts/commands-codec'
import { Exchange } from '../index.ts'

const golden = (name: string): Buffer => readFileSync(new URL(`golden/${name}`, import.meta.url))
const unzipped = (name: string): Buffer => gunzipSync(golden(name))

/** What was recorded of a log: the state was hashed at the checkpoints. */
interface Recorded {
  clientOrderIdWindow: number
  commands: number
  outcomes: number
  checkpoints?: { commands: number; hash: string }[]
}
const recordedOf = (rules: number): Recorded => JSON.parse(golden(`rules-${rules}.json`).toString()) as Recorded

/** Records of the log, each after its length. */
function recordsOf(rules: number): Buffer[] {
  const bytes = unzipped(`rules-${rules}-commands.bin.gz`)
  const found: Buffer[] = []
  for (let at = 0; at < bytes.length; at += 4 + bytes.readUInt32LE(at)) found.push(bytes.subarray(at + 4, at + 4 + bytes.readUInt32LE(at)))
  return found
}

/** The exchange after the whole log, with what was seen on the way. */
function replay(rules: number): { exchange: Exchange; outcomes: number; hashes: Map<number, string> } {
  const { clientOrderIdWindow, checkpoints = [] } = recordedOf(rules)
  const exchange = new Exchange({ clientOrderIdWindow })
  const hashes = new Map<number, string>()
  let outcomes = 0
  for (const command of recordsOf(rules).flatMap((record) => decodeBatch(record))) {
    exchange.apply(command)
    const { data, length } = exchange.outcome
    for (let at = 0; at < length; at++) outcomes = Math.imul(outcomes ^ (data[at]! % 4_294_967_291), 0x01000193) ^ (outcomes >>> 13)
    if (checkpoints.some(({ commands }) => commands === exchange.commandCount)) hashes.set(exchange.commandCount, exchange.stateHash())
  }
  return { exchange, outcomes: outcomes | 0, hashes }
}

/** Logs and snapshots that earlier releases made. They stand for ever: an old log must replay to the same state. */
describe.each([1, 2])('of rules %d', (rules) => {
  const recorded = recordedOf(rules)

  test('a log replays to the same outcomes and the same states', () => {
    const { exchange, outcomes, hashes } = replay(rules)
    expect({ commands: exchange.commandCount, outcomes }).toEqual({ commands: recorded.commands, outcomes: recorded.outcomes })
    for (const { commands, hash } of recorded.checkpoints ?? []) expect(hashes.get(commands), `after ${commands} commands`).toBe(hash)
  })

  test('its records are still written byte for byte, so that a release that knows no other form can read them', () => {
    for (const record of recordsOf(rules)) expect(Buffer.from(encodeBatch(decodeBatch(record) as Command[]))).toEqual(record)
  })
})

test('a snapshot of version 1 is read, and written byte for byte', () => {
  const bytes = unzipped('rules-1-snapshot.bin.gz')
  const exchange = Exchange.restore(bytes)
  expect(exchange.stateHash()).toBe(recordedOf(1).checkpoints!.at(-1)!.hash)
  expect(Buffer.from(exchange.snapshot())).toEqual(bytes)
})

test('a snapshot of version 2 is read as the state that its log leads to', () => {
  const exchange = Exchange.restore(unzipped('rules-2-snapshot-2.bin.gz'))
  expect(exchange.stateHash()).toBe(replay(2).exchange.stateHash())
})

test('a snapshot of version 3 is read as that state too, and written byte for byte', () => {
  const bytes = unzipped('rules-2-snapshot-3.bin.gz')
  const exchange = Exchange.restore(bytes)
  expect(exchange.stateHash()).toBe(replay(2).exchange.stateHash())
  expect(Buffer.from(exchange.snapshot())).toEqual(bytes)
})

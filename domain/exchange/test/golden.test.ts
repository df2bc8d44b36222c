import { readFileSync } from 'node:fs'
import { gunzipSync } from 'node:zlib'
import { expect, test } from 'vitest'
import type { Command } from '@maru/contracts'
import { decodeBatch, encodeBatch } from '@maru/contracts/commands-codec'
import { Exchange } from '../index.ts'

/** A log, a snapshot and hashes that a release made which knew only rules 1. They stand for ever: an old log must replay to the same state. */
const golden = (name: string): Buffer => readFileSync(new URL(`golden/${name}`, import.meta.url))
const recorded = JSON.parse(golden('rules-1.json').toString()) as {
  clientOrderIdWindow: number
  commands: number
  outcomes: number
  checkpoints: { commands: number; hash: string }[]
}

/** Records of the log, each after its length. */
function records(): Buffer[] {
  const bytes = gunzipSync(golden('rules-1-commands.bin.gz'))
  const found: Buffer[] = []
  for (let at = 0; at < bytes.length; at += 4 + bytes.readUInt32LE(at)) found.push(bytes.subarray(at + 4, at + 4 + bytes.readUInt32LE(at)))
  return found
}

test('a log of rules 1 replays to the same outcomes and the same states', () => {
  const exchange = new Exchange({ clientOrderIdWindow: recorded.clientOrderIdWindow })
  const hashes = new Map(recorded.checkpoints.map(({ commands, hash }) => [commands, hash]))
  let outcomes = 0
  let seen = 0
  for (const command of records().flatMap((record) => decodeBatch(record))) {
    exchange.apply(command)
    const { data, length } = exchange.outcome
    for (let at = 0; at < length; at++) outcomes = Math.imul(outcomes ^ (data[at]! % 4_294_967_291), 0x01000193) ^ (outcomes >>> 13)
    const hash = hashes.get(exchange.commandCount)
    if (hash === undefined) continue
    expect(exchange.stateHash(), `after ${exchange.commandCount} commands`).toBe(hash)
    seen += 1
  }
  expect({ seen, commands: exchange.commandCount, outcomes: outcomes | 0 }).toEqual({
    seen: recorded.checkpoints.length,
    commands: recorded.commands,
    outcomes: recorded.outcomes,
  })
})

test('its records are still written byte for byte, so that a release that knows no other form can read them', () => {
  for (const record of records()) expect(Buffer.from(encodeBatch(decodeBatch(record) as Command[]))).toEqual(record)
})

test('its snapshot is read, and written byte for byte', () => {
  const bytes = gunzipSync(golden('rules-1-snapshot.bin.gz'))
  const exchange = Exchange.restore(bytes)
  expect(exchange.stateHash()).toBe(recorded.checkpoints.at(-1)!.hash)
  expect(Buffer.from(exchange.snapshot())).toEqual(bytes)
})

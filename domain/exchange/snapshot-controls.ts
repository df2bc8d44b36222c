import type { AccountControls } from './account-controls.ts'
import { noControls } from './account-controls.ts'
import type { ByteReader, ByteWriter } from './bytes.ts'
import type { Core } from './core.ts'

const controlFigures = Object.keys(noControls) as (keyof AccountControls)[]

/** Writes what operators and timers have set: of accounts, those that have something. */
export function writeControls(core: Core, out: ByteWriter): void {
  const { accounts } = core
  const controlled = accounts.controlled()
  out.i32(controlled.length)
  for (const account of controlled) {
    out.i32(account)
    for (const figure of controlFigures) out.f64(accounts.controls(account)[figure])
  }
}

export function readControls(core: Core, from: ByteReader): void {
  for (let left = from.i32(); left > 0; left--) {
    const account = from.i32()
    const controls = { ...noControls }
    for (const figure of controlFigures) controls[figure] = from.f64()
    core.accounts.setControls(account, controls)
  }
}

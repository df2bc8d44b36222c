import { hash, verify } from '@node-rs/argon2'
import { randomBytes } from 'node:crypto'
import { Problem } from '@maru/service-host'
import { normalPassword } from '../profile-management/names.ts'

// OWASP Password Storage Cheat Sheet: argon2id with 19 MiB, two passes, one lane. The library's default variant is argon2id.
const parameters = { memoryCost: 19_456, timeCost: 2, parallelism: 1 }

export interface PasswordBounds {
  atOnceMax: number
  /** Waiting beyond those at work; past it callers get 503. */
  queueMax: number
}

/** A place in the queue of password work, held from before the first side effect of a request. */
export interface PasswordTurn extends Disposable {
  hash(password: string): Promise<string>
  /** False for a wrong password; with `stored` undefined (no such user) it takes as long and is always false. */
  verify(stored: string | undefined, password: string): Promise<boolean>
}

/**
 * argon2id with bounded work: each hash takes 19 MiB and tens of milliseconds of a core, so a flood of logins must wait in a
 * short line and then be turned away.
 */
export class Passwords {
  readonly #bounds: PasswordBounds
  /** Made at the start, which need not wait for it. */
  readonly #decoy: Promise<string>
  readonly #waiting: (() => void)[] = []
  #held = 0
  #working = 0

  constructor(bounds: PasswordBounds) {
    this.#bounds = bounds
    this.#decoy = hash(randomBytes(32), parameters)
    this.#decoy.catch(() => undefined) // Told to whoever needs it.
  }

  /** Throws Problem `overloaded` when the line is full. Dispose of the turn when done. */
  takeTurn(): PasswordTurn {
    if (this.#held >= this.#bounds.atOnceMax + this.#bounds.queueMax)
      throw new Problem('overloaded', 'Too many passwords are being checked now.', { retryAfterSeconds: 2 })
    this.#held += 1
    let open = true
    return {
      hash: (password) => this.#work(() => hash(normalPassword(password), parameters)),
      verify: (stored, password) =>
        this.#work(async () => {
          const matches = await verify(stored ?? (await this.#decoy), normalPassword(password))
          return stored !== undefined && matches
        }),
      [Symbol.dispose]: () => {
        if (open) this.#held -= 1
        open = false
      },
    }
  }

  async #work<T>(task: () => Promise<T>): Promise<T> {
    if (this.#working >= this.#bounds.atOnceMax) await new Promise<void>((resolve) => this.#waiting.push(resolve))
    else this.#working += 1
    try {
      return await task()
    } finally {
      // The place passes straight to the next in line, so that a newcomer cannot slip in between.
      const next = this.#waiting.shift()
      if (next) next()
      else this.#working -= 1
    }
  }
}

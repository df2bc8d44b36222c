/** A promise of the platform that was not kept. */
export class Violation extends Error {
  override name = 'Violation'
}

/** Keeps the first violation; what follows from it says nothing new. */
export class Verdict {
  violation: Violation | undefined

  fail(message: string): void {
    this.violation ??= new Violation(message)
  }

  expect(holds: boolean, message: () => string): void {
    if (!holds) this.fail(message())
  }
}

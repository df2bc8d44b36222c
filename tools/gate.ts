/** One thing that `npm run check` holds the code to. */
export interface Gate {
  readonly name: string
  /** What stands at fault under `root`, one line each; empty when nothing does. Throws when the gate itself cannot work. */
  inspect(root: string): Promise<string[]>
  /** How to mend what it finds, where a command does it. */
  readonly mend?: string
  /**
   * A folder under tools/fixtures that breaks every rule of the gate on purpose, and a text that the findings must hold for
   * each: a gate that checks nothing would pass for ever.
   */
  readonly badFixture: { readonly folder: string; readonly mustReport: readonly string[] }
}

export interface Verdict {
  readonly gate: string
  readonly findings: readonly string[]
  readonly durationMs: number
}

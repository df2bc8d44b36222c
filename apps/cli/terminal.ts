/** What a person at the terminal sees: one line when Maru is ready, and short notes when something is wrong. */
export interface Terminal {
  /** The result asked for, on standard output. */
  say(line: string): void
  /** Something to know, on standard error. */
  note(line: string): void
}

/** Writes to this process' terminal. A terminal that has gone away (a closed pipe) is no reason to stop. */
export function openTerminal(): Terminal {
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined)
  return {
    say: (line) => void process.stdout.write(`${line}\n`),
    note: (line) => void process.stderr.write(`maru: ${line}\n`),
  }
}

/** Lets `max` lines through in a window of `windowMs`; says once how many it held back when the next window opens. */
export function limitNotes(
  note: (line: string) => void,
  limits: { max: number; windowMs: number },
  now: () => number = Date.now,
): (line: string) => void {
  let windowStartedAtMs = -Infinity
  let passed = 0
  let heldBack = 0
  return (line) => {
    if (now() - windowStartedAtMs >= limits.windowMs) {
      if (heldBack > 0) note(`… and ${heldBack} more like it; see the log files`)
      windowStartedAtMs = now()
      passed = 0
      heldBack = 0
    }
    if (passed < limits.max) {
      passed += 1
      note(line)
    } else heldBack += 1
  }
}

import type { Thread } from './process.ts'
import type { Trace } from './trace.ts'

interface Step {
  atMs: number
  /** Steps of one moment run in the order in which they were planned. */
  order: number
  what: string
  run: () => void
  /** Whose step it is: it is left out when that process is dead, and put off while the thread stands still. Nobody's for the world outside. */
  thread: Thread | undefined
  isCancelled: boolean
}

/**
 * Simulated time: steps planned for moments, run one after another. Between two steps all promises that can settle do, so a run depends on
 * nothing but the order of the steps.
 */
export class Timeline {
  readonly #steps: Step[] = []
  readonly #trace: Trace
  #nowMs = 0
  #planned = 0
  #done = 0

  constructor(trace: Trace) {
    this.#trace = trace
  }

  /** Since the run began. */
  get nowMs(): number {
    return this.#nowMs
  }

  get stepCount(): number {
    return this.#done
  }

  /** Plans a step; gives what prevents it. */
  plan(delayMs: number, what: string, run: () => void, thread?: Thread): () => void {
    const step: Step = {
      atMs: this.#nowMs + Math.max(0, delayMs),
      order: (this.#planned += 1),
      what,
      run,
      thread,
      isCancelled: false,
    }
    this.#push(step)
    return () => {
      step.isCancelled = true
    }
  }

  wait(delayMs: number, what: string, thread?: Thread): Promise<void> {
    return new Promise((resolve) => this.plan(delayMs, what, resolve, thread))
  }

  /** Runs steps until `isOver`, or none is left; `between` is called before each. */
  async run(isOver: () => boolean, between: () => void): Promise<void> {
    while (!isOver()) {
      const step = this.#pop()
      if (!step) return
      if (step.isCancelled || step.thread?.process.isDead) continue
      this.#nowMs = Math.max(this.#nowMs, step.atMs)
      const stalledMs = step.thread?.stalledUntilMs ?? 0
      if (stalledMs > this.#nowMs) {
        step.atMs = stalledMs
        this.#push(step)
        continue
      }
      between()
      // What came between may have ended the process whose step this is.
      if (step.thread?.process.isDead) continue
      this.#done += 1
      this.#trace.add(this.#nowMs, step.thread?.name ?? '', step.what)
      step.run()
      await new Promise(setImmediate)
    }
  }

  #push(step: Step): void {
    const steps = this.#steps
    let at = steps.push(step) - 1
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (!isBefore(step, steps[parent]!)) break
      steps[at] = steps[parent]!
      at = parent
    }
    steps[at] = step
  }

  #pop(): Step | undefined {
    const steps = this.#steps
    const first = steps[0]
    const last = steps.pop()
    if (!first || !last || first === last) return first
    let at = 0
    for (;;) {
      let child = at * 2 + 1
      if (child >= steps.length) break
      if (child + 1 < steps.length && isBefore(steps[child + 1]!, steps[child]!)) child += 1
      if (!isBefore(steps[child]!, last)) break
      steps[at] = steps[child]!
      at = child
    }
    steps[at] = last
    return first
  }
}

function isBefore(one: Step, other: Step): boolean {
  return one.atMs < other.atMs || (one.atMs === other.atMs && one.order < other.order)
}

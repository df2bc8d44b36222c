/**
 * Does something to each of `items`, in an order drawn at random, spread over as much of `overMs` as there are items for: `eachMs` apart. For what others answer
 * by coming back: all at once they would come as one wave. Resolves after the last.
 */
export async function spreadOver<T>(items: readonly T[], overMs: number, act: (item: T) => void, eachMs = 2): Promise<void> {
  const left = items
    .map((item) => ({ item, at: Math.random() }))
    .sort((a, b) => a.at - b.at)
    .map(({ item }) => item)
  const spreadMs = Math.min(overMs, left.length * eachMs)
  const startMs = performance.now()
  let done = 0
  while (done < left.length) {
    const passed = spreadMs === 0 ? 1 : (performance.now() - startMs + stepMs) / spreadMs
    const due = Math.min(left.length, Math.max(done + 1, Math.floor(passed * left.length)))
    while (done < due) act(left[done++]!)
    if (done < left.length) await new Promise((resolve) => setTimeout(resolve, stepMs))
  }
}

const stepMs = 10

import { Worker } from 'node:worker_threads'
import type { PublisherFigures } from '../monitoring/metrics.ts'
import type { PublisherThreadData, PublisherThreadMessage, PublisherThreadOrder } from './worker.ts'

export interface PublisherThread extends AsyncDisposable {
  /** Whether this instance publishes now. */
  readonly isLeading: boolean
  /** What it measured about a second ago; undefined before it has begun. */
  readonly figures: PublisherFigures | undefined
  /** The command log holds records up to `offset`: publishes them soon, where this instance leads. */
  appended(offset: number): void
}

const stopWithinMs = 5_000
/**
 * The least time between two words of new records, the first after a rest being given at once. Each wakes the thread, a commit of events and one of history,
 * and every reader of the events: what comes in a trickle shares them.
 */
const toldEveryMs = 50

/** Starts the publishing thread; `onLeading` is told when this instance becomes or ceases to be the one that publishes. */
export function startPublisherThread(options: {
  data: PublisherThreadData
  onLeading: (leading: boolean) => void
  /** The thread has given up because its state differs from that of other replicas. */
  onDiffers: (detail: string) => void
  onFailed: (error: unknown) => void
}): PublisherThread {
  const worker = new Worker(new URL('./worker.ts', import.meta.url), {
    workerData: options.data,
    // Room for the events of a round: they live until the history has them, and would be copied twice in less.
    resourceLimits: { maxYoungGenerationSizeMb: 64 },
  })
  let isLeading = false
  let stopping = false
  let figures: PublisherFigures | undefined
  const exited = new Promise<void>((resolve) => {
    worker.on('exit', (code) => {
      if (!stopping) options.onFailed(new Error(`the publishing thread ended with code ${code}`))
      resolve()
    })
  })
  worker.on('error', (error) => options.onFailed(error))
  worker.on('message', (message: PublisherThreadMessage) => {
    if (message.type === 'differs') {
      stopping = true
      options.onDiffers(message.detail)
    }
    if (message.type === 'figures') figures = message.figures
    if (message.type !== 'leading' || message.leading === isLeading) return
    isLeading = message.leading
    options.onLeading(isLeading)
  })
  let newest = 0
  /** Set while the thread was told a moment ago. */
  let resting: NodeJS.Timeout | undefined
  const tell = (): void => {
    const offset = newest
    worker.postMessage({ type: 'appended', offset } satisfies PublisherThreadOrder)
    resting = setTimeout(() => {
      resting = undefined
      if (newest > offset && isLeading && !stopping) tell()
    }, toldEveryMs)
  }
  return {
    get isLeading() {
      return isLeading
    },
    get figures() {
      return figures
    },
    appended(offset) {
      newest = offset
      if (isLeading && !resting && !stopping) tell()
    },
    async [Symbol.asyncDispose]() {
      stopping = true
      clearTimeout(resting)
      worker.postMessage({ type: 'stop' } satisfies PublisherThreadOrder)
      const timer = setTimeout(() => void worker.terminate(), stopWithinMs)
      await exited
      clearTimeout(timer)
    },
  }
}

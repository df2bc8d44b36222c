import { Worker } from 'node:worker_threads'
import type { PublisherFigures } from '../monitoring/metrics.ts'
import type { PublisherThreadData, PublisherThreadMessage } from './worker.ts'

export interface PublisherThread extends AsyncDisposable {
  /** Whether this instance publishes now. */
  readonly isLeading: boolean
  /** What it measured about a second ago; undefined before it has begun. */
  readonly figures: PublisherFigures | undefined
}

const stopWithinMs = 5_000

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
  return {
    get isLeading() {
      return isLeading
    },
    get figures() {
      return figures
    },
    async [Symbol.asyncDispose]() {
      stopping = true
      worker.postMessage('stop')
      const timer = setTimeout(() => void worker.terminate(), stopWithinMs)
      await exited
      clearTimeout(timer)
    },
  }
}

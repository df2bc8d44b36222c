/** Asked to stop, and then asked again by someone who will not wait. */
export interface StopRequests extends Disposable {
  /** Aborts at the first request. */
  readonly stop: AbortSignal
  /** Aborts at a second one. */
  readonly force: AbortSignal
  /** As a signal to stop would. */
  request(): void
}

/** One Ctrl-C arrives twice under npm: from the terminal, and passed on by npm. Within this time it is the same request. */
const sameRequestMs = 1_000

const parentCheckMs = 1_000

/**
 * Listens for SIGINT, SIGTERM and SIGHUP. With `endWithParent` the end of the parent process is a request too: npm killed outright
 * passes nothing on.
 */
export function listenForStop(options: { endWithParent: boolean }): StopRequests {
  const stop = new AbortController()
  const force = new AbortController()
  let firstAtMs = 0
  const request = (): void => {
    if (!stop.signal.aborted) {
      firstAtMs = Date.now()
      stop.abort(new StoppedError())
    } else if (Date.now() - firstAtMs >= sameRequestMs) force.abort()
  }
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const
  for (const signal of signals) process.on(signal, request)
  const parent = process.ppid
  const timer = setInterval(() => {
    if (options.endWithParent && process.ppid !== parent && !stop.signal.aborted) request()
  }, parentCheckMs)
  timer.unref()
  return {
    stop: stop.signal,
    force: force.signal,
    request,
    [Symbol.dispose]: () => {
      clearInterval(timer)
      for (const signal of signals) process.off(signal, request)
    },
  }
}

/** Why a start ended early: it was asked to. */
export class StoppedError extends Error {
  override name = 'StoppedError'

  constructor() {
    super('Asked to stop.')
  }
}

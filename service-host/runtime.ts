/** How a process of Node is started, beyond its program and settings. */
export interface Runtime {
  /** Options of Node, before the program. */
  readonly execArgv: readonly string[]
  readonly environment: Readonly<Record<string, string>>
}

/**
 * For processes that hold the exchange: its state is some large tables, and a command runs through many small functions.
 *
 * - glibc asks for pages of 2 MB for its tables (where the kernel gives them on request, as most do), so that most look-ups find the page they are in.
 *   Other C libraries do not know the setting.
 * - It maps blocks of 2 MB and more by themselves and goes on doing so. Else it stops with the first such block that is given back, and records of 64 bytes
 *   then lie across two cache lines (`domain/exchange/growth.ts`). How much it keeps of what is given back has to be said too then: 32 MB.
 * - The compiler joins functions into one up to so many bytes instead of 920, so that a command is a few calls instead of thirty.
 * - A property that objects of many shapes have, as the kind of a command, is found by comparing shapes, up to so many instead of four, and not in
 *   a table.
 *
 * Nothing but speed depends on them. Workers of such a process have all of them too.
 */
export const exchangeRuntime: Runtime = {
  execArgv: ['--max-inlined-bytecode-size-cumulative=4000', '--max-valid-polymorphic-map-count=32'],
  environment: {
    GLIBC_TUNABLES: ['hugetlb=1', `mmap_threshold=${2 ** 21}`, `trim_threshold=${2 ** 25}`].map((set) => `glibc.malloc.${set}`).join(':'),
  },
}

/**
 * For the gateway. Where objects made at one place have lived long, the runtime makes more of them at once among the old ones; there even a dead one keeps what it points to until the next full collection.
 * Nothing of a request lives longer than its answer, but what belongs to a connection is made at some of the same places. Full collections, which give memory back, are rare then; so young objects have at most 8 MB
 * a side, which is as quick.
 *
 * Nothing but speed and memory depend on it.
 */
export const gatewayRuntime: Runtime = { execArgv: ['--no-allocation-site-pretenuring', '--max-semi-space-size=8'], environment: {} }

export const plainRuntime: Runtime = { execArgv: [], environment: {} }

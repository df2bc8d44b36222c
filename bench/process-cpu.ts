import { readdirSync, readFileSync } from 'node:fs'

/** CPU time that processes have used so far, all their threads, in µs; Linux only. Threads that have ended are not counted. */
export function cpuMicroseconds(pids: readonly number[]): number {
  let sum = 0
  for (const pid of pids) for (const thread of threadsOf(pid)) sum += threadNanoseconds(pid, thread) / 1_000
  return sum
}

function threadsOf(pid: number): string[] {
  try {
    return readdirSync(`/proc/${pid}/task`)
  } catch {
    // It has ended, and uses no more.
    return []
  }
}

function threadNanoseconds(pid: number, thread: string): number {
  try {
    return Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').split(' ')[0])
  } catch {
    return 0
  }
}

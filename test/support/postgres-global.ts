import { startSharedServer } from './postgres.ts'

/** Runs once before all tests; what it returns, after them. */
export default function setup(): Promise<() => Promise<void>> {
  return startSharedServer()
}

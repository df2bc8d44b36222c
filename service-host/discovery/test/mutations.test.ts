import { expect, test } from 'vitest'
import type { Lease } from '../port.ts'
import { discoveryChecks } from '../testing.ts'
import { dnsRegistry, kubernetesRegistry, postgresRegistry } from './support/registries.ts'
import type { RegistryUnderTest } from './support/running-instance.ts'

/** Tests of the tests: with a lease that never runs out, the checks that look for deaths must fail. */
const never: Lease = { leaseMs: 1e9, renewMs: 350, lostMs: 1e9 }
/** A lease and more. */
const deathMs = 3_000

const killed = discoveryChecks['an instance that is killed is gone, and the other stays']
const stopped = discoveryChecks['an instance that is stopped is gone, and back when it goes on']

test('a lease that never runs out is found out, on PostgreSQL, by DNS and by Kubernetes', { timeout: 90_000 }, async () => {
  const outcomes = await Promise.allSettled([
    onBroken(() => postgresRegistry({ outage: false }), killed),
    onBroken(() => postgresRegistry({ outage: false }), stopped),
    onBroken(dnsRegistry, stopped),
    onBroken(kubernetesRegistry, stopped),
  ])
  const stays = expect.stringContaining("expected [ 'u1' ] to deeply equal []")
  expect(outcomes.map((outcome) => (outcome.status === 'rejected' ? String(outcome.reason) : 'was not found out'))).toEqual([
    expect.stringContaining("expected [ 'u1', 'u2' ]"),
    stays,
    stays,
    stays,
  ])
})

async function onBroken(
  setUp: () => Promise<RegistryUnderTest>,
  check: (registry: RegistryUnderTest, deathMs: number) => Promise<void>,
): Promise<void> {
  await using registry = await setUp()
  await check({ ...registry, open: () => registry.open(never) }, deathMs)
}

import { setTimeout as sleep } from 'node:timers/promises'
import { eventually } from '../../support/client.ts'
import { replicas, services, type ChaosPlatform, type Ended, type Service, type SupervisedInstance } from '../platform.ts'
import { oneOf, type Fault, type Marks } from './fault.ts'

const lookEveryMs = 10

/** Who is killed, as soon as there is such a one. `before`: pids of the instances that the change found. */
interface Moment {
  name: string
  victim(now: readonly SupervisedInstance[], before: readonly number[]): SupervisedInstance | undefined
}

const isNew = ({ pid }: SupervisedInstance, before: readonly number[]): boolean => pid !== null && !before.includes(pid)
const isOld = ({ pid }: SupervisedInstance, before: readonly number[]): boolean => pid !== null && before.includes(pid)

const newStarts: Moment = {
  name: 'while it starts',
  victim: (now, before) => now.find((one) => isNew(one, before) && one.state === 'starting'),
}
const newIsReady: Moment = {
  name: 'as soon as it takes requests',
  victim: (now, before) => now.find((one) => isNew(one, before) && one.state === 'ready'),
}
const newIsTrusted: Moment = {
  name: 'while the old one finishes',
  victim: (now, before) =>
    now.some(({ state }) => state === 'stopping') ? now.find((one) => isNew(one, before) && one.state === 'ready') : undefined,
}
export const oldBesideNew: Moment = {
  name: 'while the new one starts',
  victim: (now, before) =>
    now.some((one) => isNew(one, before)) ? now.find((one) => isOld(one, before) && one.state === 'ready') : undefined,
}
const oldFinishes: Moment = { name: 'while it finishes', victim: (now) => now.find(({ state }) => state === 'stopping') }

/** SIGKILL to an instance in the middle of a deploy or a scale of its service; the moment follows from the seed. */
export const killsWithinChanges: readonly Fault[] = [
  ...services.flatMap((service) => [
    killWithinDeploy(service, 'a new', [newStarts, newIsReady, newIsTrusted]),
    killWithinDeploy(service, 'an old', [oldBesideNew, oldFinishes]),
  ]),
  {
    name: 'kill -9 one within a scale up, and one within a scale down',
    kind: 'kill within a change',
    service: undefined,
    async inject(platform, random, mark) {
      const service = oneOf(services, random)
      for (const [count, moments] of [
        [replicas + 1, [newStarts, oldBesideNew]],
        [replicas, [oldFinishes]],
      ] as const) {
        const { code, output } = await killWithin(platform, service, ['scale', `${service}=${count}`], oneOf(moments, random), mark)
        if (code !== 0 && !new RegExp(`${service} has ${replicas} of ${count} instances: .*signal SIGKILL`).test(output))
          throw new Error(`it ended with ${code} and says nothing true: ${output}`)
        await expectNoOther(platform, service, code === 0 ? count : replicas)
        // So that the next has one to take away.
        if (code !== 0) await platform.maru('scale', `${service}=${count}`)
      }
      mark.mended()
    },
  },
]

function killWithinDeploy(service: Service, whom: 'a new' | 'an old', moments: readonly Moment[]): Fault {
  return {
    name: `kill -9 ${whom} instance within deploy ${service}`,
    kind: 'kill within a change',
    service,
    async inject(platform, random, mark) {
      const before = pidsOf(await platform.supervised(service))
      const moment = oneOf(moments, random)
      const { code, output } = await killWithin(platform, service, ['deploy', service], moment, mark)
      mark.mended()
      const after = await expectNoOther(platform, service, replicas)
      const kept = after.filter((pid) => before.includes(pid)).length
      const isTrue =
        code === 0 ? output.includes(`${service} is deployed in `) && kept === 0 : whom === 'a new' && isTakenBack(output, kept)
      if (!isTrue) throw new Error(`killed ${moment.name}, it ended with ${code} and ${kept} instances of before, and said: ${output}`)
    },
  }
}

/** Gives the command, and kills whom the moment names while it is carried out. */
export async function killWithin(
  platform: ChaosPlatform,
  service: Service,
  command: readonly string[],
  moment: Moment,
  mark: Marks,
): Promise<Ended> {
  const before = pidsOf(await platform.supervised(service))
  let over = false
  const ended = platform.tryMaru(...command).finally(() => (over = true))
  // Heard below.
  ended.catch(() => undefined)
  let killed: number | undefined
  for (; killed === undefined && !over; await sleep(lookEveryMs)) {
    killed = moment.victim(await platform.supervised(service), before)?.pid ?? undefined
    if (killed === undefined) continue
    mark.broken()
    process.kill(killed, 'SIGKILL')
  }
  const { code, output } = await ended
  if (killed === undefined) throw new Error(`there was none to be killed ${moment.name}; it ended with ${code}: ${output}`)
  return { code, output }
}

/** So many instances take requests in the end, and there is no process beside them. Gives their pids. */
async function expectNoOther(platform: ChaosPlatform, service: Service, count: number): Promise<number[]> {
  await platform.untilWhole(service, [], count)
  const all = await eventually(
    async () => ({ known: sorted(pidsOf(await platform.supervised(service))), running: sorted(await platform.processesOf(service)) }),
    ({ known, running }) => known.length === count && String(known) === String(running),
  )
  return all.known
}

function isTakenBack(output: string, kept: number): boolean {
  if (!/was not deployed: .*signal SIGKILL/.test(output)) return false
  if (output.includes('The instances before were not touched.')) return kept === replicas
  return output.includes(`${replicas - kept} of ${replicas} instances run what is on disk now`)
}

function sorted(pids: readonly number[]): number[] {
  return pids.toSorted((a, b) => a - b)
}

export function pidsOf(instances: readonly SupervisedInstance[]): number[] {
  return instances.flatMap(({ pid }) => pid ?? [])
}

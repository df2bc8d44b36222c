import { verifyAccountStream } from '../../apps/cli/verify/account-stream.ts'
import { Client, eventually } from '../support/client.ts'
import type { Trader } from './trader.ts'

interface OrderItem {
  id: string
  client_order_id: string
  status: string
  reject_code: string | null
}

interface Reconciliation {
  assets: { asset: string; difference: string }[]
  replicas: { id: string; position: number; state_hash: string }[]
}

/** How the platform's word differs from what traders were told, each in a sentence. */
export interface OrderFaults {
  lost: string[]
  doubled: string[]
  /** There once, but not as was said. */
  other: string[]
}

const listsWithinMs = 30_000
const finals = new Set(['FILLED', 'CANCELLED', 'REJECTED', 'EXPIRED'])

/** Holds what the platform says of a trader's orders against what the trader was told. */
export async function ordersAtOdds(trader: Trader): Promise<OrderFaults> {
  const faults: OrderFaults = { lost: [], doubled: [], other: [] }
  // Lists follow at some distance, the further the busier the machine: what is missing after a while is lost.
  const found = await eventually(
    () => ordersByClientId(trader),
    (orders) => [...trader.told.keys()].every((clientOrderId) => orders.has(clientOrderId)),
    listsWithinMs,
  ).catch(() => ordersByClientId(trader))
  for (const [clientOrderId, orders] of found) {
    if (!trader.sent.has(clientOrderId)) faults.other.push(`order ${orders[0]!.id} was sent by nobody`)
    if (orders.length > 1) faults.doubled.push(`${clientOrderId} was doubled: ${orders.map(({ id }) => id).join(', ')}`)
  }
  for (const [clientOrderId, told] of trader.told) {
    const [order] = found.get(clientOrderId) ?? []
    if (!order) faults.lost.push(`${clientOrderId} was lost: it was told ${JSON.stringify(told)}`)
    else if ('refusal' in told ? order.reject_code !== told.refusal : order.id !== told.id)
      faults.other.push(`${clientOrderId} was told ${JSON.stringify(told)} and is ${JSON.stringify(order)}`)
    else if ('status' in told && finals.has(told.status) && order.status !== told.status)
      faults.other.push(`${clientOrderId} was told ${told.status} and is ${order.status}`)
  }
  return faults
}

/** What is wrong with the account's stream of events: a gap, a broken hash, another beginning than 1. */
export async function streamFaults(client: Client): Promise<string[]> {
  const events: unknown[] = []
  for await (const event of pagesOf<unknown>(client, `/accounts/${client.userId}/events?limit=1000`)) events.push(event)
  const verdict = verifyAccountStream(JSON.stringify(events))
  if (!verdict.isGood) return [`stream of ${client.userId}, event ${verdict.sequence}: ${verdict.fault}`]
  return verdict.first === 1 ? [] : [`the stream of ${client.userId} begins with event ${verdict.first}`]
}

/** Both replicas know each open order of a client alike, in memory. */
export async function openOrdersDiffer(tradingUrls: readonly string[], client: Client): Promise<string[]> {
  const open = await Promise.all(tradingUrls.map((url) => directly(url, client).get<unknown>('/orders?limit=500&status=PENDING')))
  const [first, ...others] = open.map(({ body }) => JSON.stringify(body))
  return others.every((other) => other === first) ? [] : [`the replicas show other open orders of ${client.userId}`]
}

/** Waits until all replicas have hashed the same position, and looks at what they found. */
export async function endState(
  tradingUrls: readonly string[],
  operator: Client,
): Promise<{ faults: string[]; position: number; stateHash: string }> {
  const faults: string[] = []
  let last: Reconciliation | undefined
  for (const url of tradingUrls) {
    const { body } = await eventually(
      () => directly(url, operator).get<Reconciliation>('/reconciliation'),
      ({ body: { replicas } }) =>
        replicas.length === tradingUrls.length && replicas.every(({ position }) => position === replicas[0]!.position),
      20_000,
    )
    for (const { asset, difference } of body.assets) if (difference !== '0') faults.push(`${asset} does not add up: ${difference}`)
    if (body.replicas.some(({ state_hash: hash }) => hash !== body.replicas[0]!.state_hash))
      faults.push(`the replicas differ: ${JSON.stringify(body.replicas)}`)
    last = body
  }
  return { faults, position: last!.replicas[0]!.position, stateHash: last!.replicas[0]!.state_hash }
}

async function ordersByClientId(trader: Trader): Promise<Map<string, OrderItem[]>> {
  const found = new Map<string, OrderItem[]>()
  for await (const order of pagesOf<OrderItem>(trader.client, '/orders?limit=500')) {
    const known = found.get(order.client_order_id)
    if (known) known.push(order)
    else found.set(order.client_order_id, [order])
  }
  return found
}

function directly(url: string, client: Client): Client {
  const other = new Client(url)
  other.token = client.token
  return other
}

async function* pagesOf<T>(client: Client, path: string): AsyncGenerator<T, void, undefined> {
  let cursor: string | null = null
  do {
    const page: { status: number; body: { items: T[]; next_cursor: string | null } } = await client.get(
      `${path}${cursor === null ? '' : `&cursor=${cursor}`}`,
    )
    if (page.status !== 200) throw new Error(`${path}: ${page.status} ${JSON.stringify(page.body)}`)
    yield* page.body.items
    cursor = page.body.next_cursor
  } while (cursor !== null)
}

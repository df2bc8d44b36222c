import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { startBenchProcess, type BenchDatabase, type BenchProcess } from './bench-processes.ts'

/** Enough for what is left over when chance lets an account buy more than it sells. */
const deposits = { BTC: '10', USDT: '10000000' }

export interface Trader {
  userId: string
  token: string
}

/** The user service with an operator of its own. */
export interface UserSide extends AsyncDisposable {
  service: BenchProcess
  operator: { email: string; password: string }
}

export async function startUserService(database: BenchDatabase): Promise<UserSide> {
  const folder = await mkdtemp(path.join(tmpdir(), 'maru-bench-user-'))
  const operator = { email: 'operator@maru.localhost', password: randomBytes(12).toString('base64url') }
  const [keyFile, operatorFile] = [path.join(folder, 'key.pem'), path.join(folder, 'operator.json')]
  await writeFile(keyFile, generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 })
  await writeFile(operatorFile, JSON.stringify(operator), { mode: 0o600 })
  const service = await startBenchProcess('services/user/main.ts', {
    DATABASE_URL: database.urls.user,
    MARU_TOKEN_KEY_FILE: keyFile,
    MARU_OPERATOR_FILE: operatorFile,
  })
  return {
    service,
    operator,
    async [Symbol.asyncDispose]() {
      await service[Symbol.asyncDispose]()
      await rm(folder, { recursive: true, force: true })
    },
  }
}

/** So many users, each with coins to sell. */
export async function registerTraders(count: number, user: UserSide, tradingUrl: string): Promise<Trader[]> {
  const userUrl = user.service.url
  const operatorToken = (await login(userUrl, user.operator.email, user.operator.password)).token
  const traders: Trader[] = []
  for (let index = 0; index < count; index += 1) {
    const password = randomBytes(12).toString('base64url')
    const email = `trader${index}@example.com`
    await post(`${userUrl}/register`, { email, username: `trader${index}`, password }, {})
    const trader = await login(userUrl, email, password)
    await fetch(`${tradingUrl}/accounts/${trader.userId}/balances`, { headers: { authorization: `Bearer ${trader.token}` } })
    for (const [asset, amount] of Object.entries(deposits)) {
      await post(
        `${tradingUrl}/accounts/${trader.userId}/deposits`,
        { asset, amount, reference: `bench-${asset}` },
        { authorization: `Bearer ${operatorToken}` },
      )
    }
    traders.push(trader)
  }
  return traders
}

async function login(userUrl: string, username: string, password: string): Promise<Trader> {
  const answer = await fetch(`${userUrl}/token`, { method: 'POST', body: new URLSearchParams({ username, password }) })
  const body = (await answer.json()) as { user_id: string; access_token: string }
  if (answer.status !== 200) throw new Error(`token: ${answer.status} ${JSON.stringify(body)}`)
  return { userId: body.user_id, token: body.access_token }
}

async function post(url: string, body: unknown, headers: Record<string, string>): Promise<void> {
  const answer = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
  })
  if (answer.status !== 201) throw new Error(`${url}: ${answer.status} ${await answer.text()}`)
}

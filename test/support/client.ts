import { randomUUID } from 'node:crypto'

export interface Answer<T = Record<string, unknown>> {
  status: number
  body: T
  headers: Headers
}

/** A plain HTTP client of the platform, as a bot would write one. */
export class Client {
  readonly url: string
  token: string | undefined
  userId = ''
  email = ''
  readonly password = randomUUID()

  constructor(url: string) {
    this.url = url
  }

  /** Registers a user with a fresh name and logs in. */
  static async registered(url: string, name = 'user'): Promise<Client> {
    const client = new Client(url)
    const unique = randomUUID().slice(0, 8)
    client.email = `${name}-${unique}@example.com`
    const registered = await client.post<{ user_id: string }>('/api/user/register', {
      email: client.email,
      username: `${name}_${unique}`,
      password: client.password,
    })
    if (registered.status !== 201) throw new Error(`register: ${registered.status} ${JSON.stringify(registered.body)}`)
    client.userId = registered.body.user_id
    await client.login(client.email, client.password)
    return client
  }

  async login(username: string, password: string): Promise<void> {
    const answer = await fetch(`${this.url}/api/user/token`, { method: 'POST', body: new URLSearchParams({ username, password }) })
    const body = (await answer.json()) as { access_token: string; user_id: string }
    if (answer.status !== 200) throw new Error(`token: ${answer.status} ${JSON.stringify(body)}`)
    this.token = body.access_token
    this.userId = body.user_id
  }

  async call<T = Record<string, unknown>>(method: string, path: string, body?: unknown): Promise<Answer<T>> {
    const answer = await fetch(`${this.url}${path}`, {
      method,
      headers: {
        ...(this.token ? { authorization: `Bearer ${this.token}` } : {}),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(20_000),
    })
    const text = await answer.text()
    return { status: answer.status, body: (text === '' ? undefined : JSON.parse(text)) as T, headers: answer.headers }
  }

  get<T = Record<string, unknown>>(path: string): Promise<Answer<T>> {
    return this.call<T>('GET', path)
  }
  post<T = Record<string, unknown>>(path: string, body: unknown): Promise<Answer<T>> {
    return this.call<T>('POST', path, body)
  }
  put<T = Record<string, unknown>>(path: string, body: unknown): Promise<Answer<T>> {
    return this.call<T>('PUT', path, body)
  }
  delete<T = Record<string, unknown>>(path: string): Promise<Answer<T>> {
    return this.call<T>('DELETE', path)
  }
}

/** Asks again and again until `check` is satisfied; throws what it last saw after `withinMs`. */
export async function eventually<T>(ask: () => Promise<T>, check: (value: T) => boolean, withinMs = 40_000): Promise<T> {
  const end = performance.now() + withinMs
  for (;;) {
    let value: T | undefined
    let failure: Error | undefined
    try {
      value = await ask()
      if (check(value)) return value
    } catch (error) {
      failure = error as Error
    }
    if (performance.now() > end) throw new Error(`not within ${withinMs} ms; last: ${failure ? failure.message : JSON.stringify(value)}`)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

import { readFile } from 'node:fs/promises'
import type { IncomingMessage } from 'node:http'
import { Agent, request } from 'node:https'
import path from 'node:path'

/** An answer of the API that is no success. */
export class ApiError extends Error {
  override name = 'ApiError'
  readonly status: number

  constructor(status: number, message: string) {
    super(message)
    this.status = status
  }
}

const answerMaxBytes = 32 * 1_024 * 1_024
const connectMs = 5_000

/** The Kubernetes API, with the service account of the pod. Its files are read for each request, as they are rotated. */
export class KubernetesApi {
  readonly #origin: string
  readonly #credentials: string
  #agent: { ca: string; agent: Agent } | undefined

  constructor(options: { origin: string; credentials: string }) {
    this.#origin = options.origin
    this.#credentials = options.credentials
  }

  /** The namespace that the pod is in. */
  async ownNamespace(): Promise<string> {
    return (await this.#read('namespace')).trim()
  }

  /** One JSON answer. Throws ApiError for what is no success. */
  async get(pathAndQuery: string, timeoutMs: number, signal: AbortSignal): Promise<unknown> {
    const bounded = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)])
    return JSON.parse(await textOf(await this.open(pathAndQuery, bounded))) as unknown
  }

  /** The body of an answer as it comes. Throws ApiError for what is no success. */
  async open(pathAndQuery: string, signal: AbortSignal): Promise<IncomingMessage> {
    const [token, ca] = await Promise.all([this.#read('token'), this.#read('ca.crt')])
    const agent = this.#agentFor(ca)
    const answer = await new Promise<IncomingMessage>((resolve, reject) => {
      const headers = { authorization: `Bearer ${token.trim()}`, accept: 'application/json' }
      const call = request(this.#origin + pathAndQuery, { agent, signal, headers }, resolve)
      call.on('error', reject)
      // Until the answer begins; a watch may then be silent for long.
      call.setTimeout(connectMs, () => call.destroy(new Error('the API does not answer')))
      call.end()
    })
    answer.socket.setTimeout(0)
    if (answer.statusCode === 200) return answer
    const text = (await textOf(answer)).slice(0, 300)
    throw new ApiError(answer.statusCode ?? 0, `the API answered ${answer.statusCode}: ${text}`)
  }

  close(): void {
    this.#agent?.agent.destroy()
  }

  #read(file: string): Promise<string> {
    return readFile(path.join(this.#credentials, file), 'utf8')
  }

  #agentFor(ca: string): Agent {
    if (this.#agent?.ca !== ca) {
      this.#agent?.agent.destroy()
      this.#agent = { ca, agent: new Agent({ ca, keepAlive: true, maxSockets: 4 }) }
    }
    return this.#agent.agent
  }
}

async function textOf(answer: IncomingMessage): Promise<string> {
  let text = ''
  answer.setEncoding('utf8')
  for await (const chunk of answer) {
    text += String(chunk)
    if (text.length > answerMaxBytes) throw new Error(`the API answered with more than ${answerMaxBytes} bytes`)
  }
  return text
}

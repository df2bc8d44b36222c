import { spawn, type ChildProcess } from 'node:child_process'
import { createPublicKey, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { request } from 'node:https'
import { networkInterfaces, tmpdir } from 'node:os'
import path from 'node:path'
import { eventually } from '../../../../test/support/client.ts'
import { freePort } from '../../../../test/support/platform.ts'
import { loopbackCertificate } from './certificate.ts'

const programs = { apiserver: process.env['MARU_TEST_KUBE_APISERVER'], etcd: process.env['MARU_TEST_ETCD'] }
const readyWithinMs = 90_000

/** An address of this machine that a slice may name; the real server refuses those of the loopback. */
export const ownAddress = Object.values(networkInterfaces())
  .flat()
  .find((one) => one?.family === 'IPv4' && !one.internal && !one.address.startsWith('169.254.'))?.address

/** Why there is no real server to be tried with; undefined where there is one. */
export function withoutKubernetes(): string | undefined {
  if (programs.apiserver === undefined || programs.etcd === undefined) return 'MARU_TEST_KUBE_APISERVER and MARU_TEST_ETCD name no programs'
  return ownAddress === undefined ? 'this machine has no address but its loopback' : undefined
}

/** A real kube-apiserver on a real etcd, with RBAC; nothing else of a cluster. */
export interface KubeApiserver extends AsyncDisposable {
  readonly url: string
  /** Of who signed its certificate, PEM. */
  readonly certificate: string
  /** Asks it as its administrator; rejects what is no success. */
  ask<T = unknown>(method: string, path: string, body?: object): Promise<T>
  /** kill -9 */
  kill(): Promise<void>
  start(): Promise<void>
  /** etcd forgets what was before this version. */
  compact(version: number): Promise<void>
  /** etcd forgets all that was; versions begin anew. Call it with the server killed. */
  wipe(): Promise<void>
}

export async function startKubeApiserver(): Promise<KubeApiserver> {
  const folder = await mkdtemp(path.join(tmpdir(), 'maru-kube-'))
  const at = (name: string): string => path.join(folder, name)
  const token = randomBytes(16).toString('hex')
  const [port, etcdPort, peerPort] = [await freePort(), await freePort(), await freePort()]
  const pems = await loopbackCertificate()
  const url = `https://127.0.0.1:${port}`
  const etcdUrl = `http://127.0.0.1:${etcdPort}`
  await writeFile(at('tls.crt'), pems.cert)
  await writeFile(at('tls.key'), pems.private, { mode: 0o600 })
  await writeFile(at('tls.pub'), createPublicKey(pems.private).export({ type: 'spki', format: 'pem' }))
  await writeFile(at('tokens.csv'), `${token},admin,admin,"system:masters"\n`, { mode: 0o600 })
  let etcd: Program
  let apiserver: Program | undefined

  const startEtcd = (): Program =>
    run(programs.etcd!, [
      '--data-dir',
      at('etcd'),
      '--listen-client-urls',
      etcdUrl,
      '--advertise-client-urls',
      etcdUrl,
      '--listen-peer-urls',
      `http://127.0.0.1:${peerPort}`,
      '--log-level',
      'error',
    ])
  const ask = <T>(method: string, where: string, body?: object): Promise<T> =>
    new Promise((resolve, reject) => {
      const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' }
      const call = request(url + where, { method, headers, ca: pems.cert }, (answer) => {
        let text = ''
        answer.setEncoding('utf8').on('data', (chunk: string) => (text += chunk))
        answer.on('end', () => {
          if (answer.statusCode! >= 300) reject(new Error(`${method} ${where}: ${answer.statusCode} ${text}`))
          else resolve((text.startsWith('{') ? JSON.parse(text) : text) as T)
        })
      })
      call.on('error', reject)
      call.end(body === undefined ? undefined : JSON.stringify(body))
    })
  const server: KubeApiserver = {
    url,
    certificate: pems.cert,
    ask,
    async start() {
      const started = run(programs.apiserver!, [
        `--etcd-servers=${etcdUrl}`,
        '--bind-address=127.0.0.1',
        `--secure-port=${port}`,
        `--tls-cert-file=${at('tls.crt')}`,
        `--tls-private-key-file=${at('tls.key')}`,
        '--authorization-mode=RBAC',
        `--token-auth-file=${at('tokens.csv')}`,
        '--anonymous-auth=false',
        '--service-account-issuer=https://kubernetes.test',
        `--service-account-key-file=${at('tls.pub')}`,
        `--service-account-signing-key-file=${at('tls.key')}`,
        '--service-cluster-ip-range=10.0.0.0/24',
        `--cert-dir=${at('certs')}`,
      ])
      apiserver = started
      const isReady = async (): Promise<boolean> => started.hasEnded() || (await ask('GET', '/readyz')) === 'ok'
      await eventually(isReady, Boolean, readyWithinMs).catch((error: Error) => {
        throw new Error(`${error.message}\n${started.output()}`, { cause: error })
      })
      if (started.hasEnded()) throw new Error(`kube-apiserver has ended:\n${started.output()}`)
    },
    kill: async () => apiserver?.kill(),
    async compact(version) {
      const answer = await fetch(`${etcdUrl}/v3/kv/compaction`, {
        method: 'POST',
        body: JSON.stringify({ revision: version, physical: true }),
      })
      if (!answer.ok) throw new Error(`etcd: ${answer.status} ${await answer.text()}`)
    },
    async wipe() {
      await etcd.kill()
      await rm(at('etcd'), { recursive: true })
      etcd = startEtcd()
    },
    async [Symbol.asyncDispose]() {
      await apiserver?.kill()
      await etcd.kill()
      await rm(folder, { recursive: true, force: true })
    },
  }
  await mkdir(at('certs'))
  etcd = startEtcd()
  try {
    await server.start()
    return server
  } catch (error) {
    await server[Symbol.asyncDispose]()
    throw error
  }
}

interface Program {
  output(): string
  hasEnded(): boolean
  kill(): Promise<void>
}

function run(program: string, parameters: readonly string[]): Program {
  const child: ChildProcess = spawn(program, parameters, { stdio: ['ignore', 'ignore', 'pipe'] })
  const ended = once(child, 'exit')
  ended.catch(() => undefined)
  const hasEnded = (): boolean => child.exitCode !== null || child.signalCode !== null
  let output = ''
  // Its last words are enough.
  child.stderr?.on('data', (chunk: Buffer) => (output = (output + chunk.toString('utf8')).slice(-8_000)))
  return {
    output: () => output,
    hasEnded,
    async kill() {
      if (hasEnded()) return
      child.kill('SIGKILL')
      await ended
    },
  }
}

import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { access, chmod, constants, mkdir, open, readFile, rename } from 'node:fs/promises'
import path from 'node:path'

/** Files and passwords that the first start makes and later starts reuse. */
export interface Secrets {
  /** By database role, such as `maru_trading`. */
  rolePasswords: Record<string, string>
  tokenKeyFile: string
  operatorFile: string
  /** What the user service seals the secrets of API keys with, and what the gateway shows it to be told of one. */
  apiKeysKeyFile: string
  gatewayKeyFile: string
}

/**
 * Reads the secrets of a home folder and makes those that are missing: `secrets.json`, `token-key.pem` (Ed25519, PKCS #8), `api-keys.key`,
 * `gateway.key` and `operator.json`, each random and readable by its owner alone. Throws an Error that names the file when one cannot be read.
 */
export async function ensureSecrets(homeFolder: string, roles: readonly string[]): Promise<Secrets> {
  const secretsFile = path.join(homeFolder, 'secrets.json')
  const known = await readSecretsFile(secretsFile)
  const missing = roles.filter((role) => known[role] === undefined)
  for (const role of missing) known[role] = randomBytes(24).toString('base64url')
  if (missing.length > 0) await writePrivateFile(secretsFile, `${JSON.stringify({ role_passwords: known }, null, 2)}\n`)

  const tokenKeyFile = path.join(homeFolder, 'token-key.pem')
  await ensurePrivateFile(tokenKeyFile, () => generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }).toString())

  const operatorFile = path.join(homeFolder, 'operator.json')
  // The domain is reserved, so that no mail to it can ever reach a stranger.
  await ensurePrivateFile(
    operatorFile,
    () => `${JSON.stringify({ email: 'operator@maru.localhost', password: randomBytes(18).toString('base64url') })}\n`,
  )
  const apiKeysKeyFile = path.join(homeFolder, 'api-keys.key')
  const gatewayKeyFile = path.join(homeFolder, 'gateway.key')
  for (const file of [apiKeysKeyFile, gatewayKeyFile]) await ensurePrivateFile(file, () => `${randomBytes(32).toString('base64url')}\n`)
  return { rolePasswords: known, tokenKeyFile, operatorFile, apiKeysKeyFile, gatewayKeyFile }
}

/** Makes the home folder and its folder of logs, for its owner alone. Gives the latter. Throws an Error that names the folder and the setting. */
export async function ensureHome(homeFolder: string): Promise<string> {
  const logsFolder = path.join(homeFolder, 'logs')
  try {
    const created = await mkdir(homeFolder, { recursive: true, mode: 0o700 })
    // A folder that was there before keeps the mode its owner chose.
    if (created !== undefined) await chmod(homeFolder, 0o700)
    await mkdir(logsFolder, { recursive: true, mode: 0o700 })
    await access(homeFolder, constants.W_OK)
  } catch (error) {
    throw new Error(`the data folder ${homeFolder} (MARU_HOME) cannot be used: ${(error as Error).message}`, { cause: error })
  }
  return logsFolder
}

/** Replaces a file whole, mode 600, so that a kill at any moment leaves the old one or the new one. */
export async function writePrivateFile(file: string, text: string): Promise<void> {
  const temporary = `${file}.${process.pid}.new`
  const handle = await open(temporary, 'w', 0o600)
  try {
    await handle.writeFile(text)
    await handle.sync()
  } finally {
    await handle.close()
  }
  await rename(temporary, file)
}

async function ensurePrivateFile(file: string, make: () => string): Promise<void> {
  if ((await readIfThere(file)) !== undefined) await chmod(file, 0o600)
  else await writePrivateFile(file, make())
}

async function readSecretsFile(file: string): Promise<Record<string, string>> {
  const text = await readIfThere(file)
  if (text === undefined) return {}
  await chmod(file, 0o600)
  try {
    const { role_passwords: passwords } = JSON.parse(text) as { role_passwords?: unknown }
    const entries = Object.entries(passwords as Record<string, unknown>)
    if (entries.every(([, password]) => typeof password === 'string' && password !== ''))
      return Object.fromEntries(entries) as Record<string, string>
  } catch {
    // Judged below: what cannot be parsed and what has another shape are the same fault.
  }
  throw new Error(`${file} is damaged. Put back a copy, or delete it: with Maru's own database new passwords are made and set.`)
}

async function readIfThere(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

import { createHash, createPrivateKey, createPublicKey, hkdfSync, type KeyObject } from 'node:crypto'
import { readFile, stat } from 'node:fs/promises'

export interface SigningKey {
  readonly kid: string
  readonly privatePem: string
  readonly publicJwk: { kty: 'OKP'; crv: 'Ed25519'; x: string; kid: string; alg: 'EdDSA'; use: 'sig' }
  /** 32 bytes for deriving refresh tokens, the same at every instance with this key. */
  readonly refreshSecret: Buffer
}

/**
 * Reads the private key that signs access tokens.
 * @throws Error that says what is wrong with the file and how to make one.
 */
export async function readSigningKey(file: string): Promise<SigningKey> {
  const explain = (fault: string, cause?: unknown) =>
    new Error(
      `MARU_TOKEN_KEY_FILE: ${fault} (${file}). It must hold an Ed25519 private key as PEM, readable by its owner alone; make one with: openssl genpkey -algorithm ed25519`,
      { cause },
    )
  let pem: string
  try {
    const { mode } = await stat(file)
    // A group may read it: orchestrators mount secrets so.
    if (process.platform !== 'win32' && (mode & 0o027) !== 0) throw explain('the file is open to others; chmod 600 it')
    pem = await readFile(file, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === undefined) throw error
    throw explain('the file cannot be read', error)
  }
  let key: KeyObject
  try {
    key = createPrivateKey(pem)
  } catch {
    // The parser's message could quote the key.
    throw explain('the file holds no private key')
  }
  if (key.asymmetricKeyType !== 'ed25519') throw explain(`the key is of type ${key.asymmetricKeyType ?? 'unknown'}`)
  return signingKeyFrom(key)
}

export function signingKeyFrom(key: KeyObject): SigningKey {
  const { x } = createPublicKey(key).export({ format: 'jwk' })
  if (x === undefined) throw new Error('an Ed25519 key without x')
  const kid = thumbprint(x)
  const seed = key.export({ format: 'jwk' }).d
  if (seed === undefined) throw new Error('a private key is needed')
  return {
    kid,
    privatePem: key.export({ type: 'pkcs8', format: 'pem' }).toString(),
    publicJwk: { kty: 'OKP', crv: 'Ed25519', x, kid, alg: 'EdDSA', use: 'sig' },
    refreshSecret: Buffer.from(hkdfSync('sha256', Buffer.from(seed, 'base64url'), '', 'maru refresh tokens', 32)),
  }
}

/** RFC 7638 with the members RFC 8037 names for OKP keys, in lexicographic order. */
function thumbprint(x: string): string {
  return createHash('sha256')
    .update(JSON.stringify({ crv: 'Ed25519', kty: 'OKP', x }))
    .digest('base64url')
}

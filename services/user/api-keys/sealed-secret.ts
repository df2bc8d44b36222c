import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'

const form = 1
const nonceBytes = 12
const tagBytes = 16

/** Seals the secret of an API key for its table (AES-256-GCM), bound to the id: moved to another row it does not open. */
export function sealSecret(secret: string, keyId: string, sealingKey: Buffer): Buffer {
  const nonce = randomBytes(nonceBytes)
  const cipher = createCipheriv('aes-256-gcm', sealingKey, nonce, { authTagLength: tagBytes }).setAAD(Buffer.from(keyId))
  const sealed = Buffer.concat([cipher.update(secret, 'utf8'), cipher.final()])
  return Buffer.concat([Buffer.of(form), nonce, cipher.getAuthTag(), sealed])
}

/** The secret again. Throws where it was sealed with another key or for another id, or was changed. */
export function openSecret(sealed: Buffer, keyId: string, sealingKey: Buffer): string {
  if (sealed[0] !== form) throw new Error('the secret of an API key is sealed in a form that this release does not know')
  const nonce = sealed.subarray(1, 1 + nonceBytes)
  const tag = sealed.subarray(1 + nonceBytes, 1 + nonceBytes + tagBytes)
  const decipher = createDecipheriv('aes-256-gcm', sealingKey, nonce, { authTagLength: tagBytes })
    .setAAD(Buffer.from(keyId))
    .setAuthTag(tag)
  return Buffer.concat([decipher.update(sealed.subarray(1 + nonceBytes + tagBytes)), decipher.final()]).toString('utf8')
}

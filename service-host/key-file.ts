import { readFile, stat } from 'node:fs/promises'

/** Bytes of a key that processes share by a file. */
export const sharedKeyBytes = 32

/**
 * Reads a key of 32 random bytes in base64url from a file that is open to its owner alone (a group may read it: orchestrators mount secrets so).
 * @throws Error that names the setting and says what is wrong, without a byte of the key
 */
export async function readSharedKey(setting: string, file: string): Promise<Buffer> {
  const explain = (fault: string, cause?: unknown) =>
    new Error(
      `${setting}: ${fault} (${file}). It must hold 32 random bytes in base64url, readable by its owner alone; make one with: openssl rand 32 | basenc --base64url -w0 | tr -d =`,
      { cause },
    )
  let text: string
  try {
    const { mode } = await stat(file)
    if (process.platform !== 'win32' && (mode & 0o027) !== 0) throw explain('the file is open to others; chmod 600 it')
    text = (await readFile(file, 'utf8')).trim()
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === undefined) throw error
    throw explain('the file cannot be read', error)
  }
  const key = Buffer.from(text, 'base64url')
  if (!/^[A-Za-z0-9_-]{43}$/.test(text) || key.length !== sharedKeyBytes) throw explain('the file holds no such key')
  return key
}

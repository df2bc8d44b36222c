import { get as getPlain } from 'node:http'
import { get as getSecure } from 'node:https'

/** More than any answer that services give each other. */
const answerMaxBytes = 16 * 2 ** 20

/**
 * The JSON that another service answers a GET with, or undefined where it answers with anything but 200. Rejects where it does not answer in time, or with what is no
 * JSON. Not by `fetch`: its parser is WebAssembly whose memory grows, and once a buffer has been detached in a thread, its code asks at each access
 * to a typed array whether that one is too. The exchange pays for that (docs/performance.md).
 */
export async function askJson(url: string, withinMs: number): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const get = url.startsWith('https:') ? getSecure : getPlain
    const request = get(url, { signal: AbortSignal.timeout(withinMs), headers: { accept: 'application/json' } }, (answer) => {
      const pieces: Buffer[] = []
      let bytes = 0
      answer.on('data', (piece: Buffer) => {
        bytes += piece.length
        if (bytes > answerMaxBytes) request.destroy(new Error('the answer is too long'))
        else pieces.push(piece)
      })
      answer.once('error', reject)
      answer.once('end', () => {
        if (answer.statusCode !== 200) resolve(undefined)
        else
          try {
            resolve(JSON.parse(Buffer.concat(pieces).toString()))
          } catch (error) {
            reject(error as Error)
          }
      })
    })
    request.once('error', reject)
  })
}

import { request } from 'node:http'

/**
 * One GET to a process of ours, JSON parsed where it is JSON. Answers that are not a success are answers too; it rejects only when
 * none came within `timeoutMs`. A connection of its own each time, so that nothing of a dead process lingers.
 */
export function getJson(url: string, timeoutMs: number): Promise<{ status: number; body: unknown }> {
  return new Promise((resolve, reject) => {
    const call = request(
      url,
      { agent: false, signal: AbortSignal.timeout(timeoutMs), headers: { accept: 'application/json' } },
      (answer) => {
        let text = ''
        answer.setEncoding('utf8')
        answer.on('data', (chunk: string) => {
          text += chunk
          if (text.length > 1_000_000) answer.destroy(new Error('the answer is longer than 1 MB'))
        })
        answer.on('end', () => resolve({ status: answer.statusCode ?? 0, body: parse(text) }))
        answer.on('error', reject)
      },
    )
    call.on('error', reject)
    call.end()
  })
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    // Not JSON: the status alone says enough.
    return undefined
  }
}

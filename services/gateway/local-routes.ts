import { Problem } from '@maru/service-host'
import { answerJson, pageSecurityHeaders, securityHeaders } from './answers.ts'
import type { EdgeCall } from './front/edge.ts'
import type { EdgeAnswer } from './front/exchange.ts'

export interface Page {
  contentType: string
  body: Buffer
}

export interface LocalRoutesOptions {
  /** Pages and files by path. */
  pages: ReadonlyMap<string, Page>
  /** JSON answers by path, made anew for each request; a Problem is thrown. */
  data: ReadonlyMap<string, () => unknown>
}

/** What the gateway answers itself: health, the API document, the pages. All by GET, all public. */
export class LocalRoutes {
  readonly #options: LocalRoutesOptions

  constructor(options: LocalRoutesOptions) {
    this.#options = options
  }

  /** False where nothing is at `path`. Throws Problem `method_not_allowed`, or what the route refuses. */
  serve(method: string, path: string, answer: EdgeAnswer, call: EdgeCall): boolean {
    const at = path.length > 1 && path.endsWith('/') ? path.slice(0, -1) : path
    const page = this.#options.pages.get(at)
    const data = this.#options.data.get(at)
    if (!page && !data) return false
    if (method !== 'GET' && method !== 'HEAD') {
      call.base += 'allow: GET, HEAD\r\n'
      throw new Problem('method_not_allowed', 'This path takes GET, HEAD.')
    }
    if (page) {
      const headers = `${call.base.replace(securityHeaders, pageSecurityHeaders)}content-type: ${page.contentType}\r\ncache-control: no-cache\r\n`
      answer.whole(200, headers, page.body)
    } else if (data) answerJson(answer, 200, call.base, data())
    return true
  }
}

/** `node tools/error-page.ts` writes docs/errors.md from the error catalogue. */
import { writeFile } from 'node:fs/promises'
import path from 'node:path'
import { errorCatalogue } from '../contracts/errors.ts'

/** The page that explains every code of the catalogue, in its order; headings are the anchors that `type` of a problem leads to. */
export function renderErrorPage(): string {
  const sections = Object.entries(errorCatalogue).map(
    ([code, { status, retryable, meaning }]) =>
      `## ${code}\n\nStatus ${status}. ${retryable ? 'The same request may succeed later.' : 'The same request will be refused again.'}\n\n${meaning}\n`,
  )
  return [
    '# Errors\n',
    'Every refusal is `application/problem+json` (RFC 9457) with one of these in `code`. This page is written from `contracts/errors.ts` by\n`node tools/error-page.ts`.\n',
    ...sections,
  ].join('\n')
}

if (import.meta.main) {
  await writeFile(path.join(import.meta.dirname, '../docs/errors.md'), renderErrorPage())
}

import { errorCatalogue } from '@maru/contracts'

/** The page `/docs/errors`: every code of the catalogue, with an anchor that the `type` of a problem links to. */
export function errorsPage(): string {
  const rows = Object.entries(errorCatalogue).map(
    ([code, { status, retryable, meaning }]) =>
      `<tr id="${code}"><td><code>${code}</code></td><td>${status}</td><td>${retryable ? 'yes' : 'no'}</td><td>${escapeHtml(meaning)}</td></tr>`,
  )
  return `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Maru: errors</title><link rel="stylesheet" href="/docs/style.css"><script src="/docs/market.js" type="module"></script></head>
<body><main>
<p><a href="/docs">API</a></p>
<h1>Errors</h1>
<p>Every refusal is <code>application/problem+json</code> (RFC 9457) with a <code>code</code> from this list and a <code>request_id</code>.
Where a code may be retried, the same request may succeed later unchanged; wait as long as <code>Retry-After</code> says.</p>
<div class="wide"><table><thead><tr><th>code</th><th>status</th><th>retry</th><th>meaning</th></tr></thead><tbody>
${rows.join('\n')}
</tbody></table></div>
</main></body></html>
`
}

function escapeHtml(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll(/`([^`]+)`/g, '<code>$1</code>')
}

/** What stands in a log line in place of a secret. */
export const redacted = '[redacted]'

/** Fields that hold secrets, by their names in lower case, without - and _. */
const secretNames = new Set([
  'authorization',
  'proxyauthorization',
  'cookie',
  'setcookie',
  'password',
  'newpassword',
  'currentpassword',
  'token',
  'accesstoken',
  'refreshtoken',
  'idtoken',
  'secret',
  'clientsecret',
  'apikey',
  'marukey',
  'marusignature',
  'signature',
  'totp',
  'recoverycode',
  'privatekey',
  'connectionstring',
  'databaseurl',
  'smtpurl',
  'link',
])

export function isSecretName(name: string): boolean {
  return secretNames.has(name.toLowerCase().replaceAll(/[-_]/g, ''))
}

/** The user and the password of an address, a bearer token, a JWT, a one-time link's token: wherever in a text they stand. */
const secretTexts: [RegExp, string][] = [
  [/\b([a-z][a-z0-9+.-]*:\/\/)[^\s/?#"'@]*@/gi, `$1${redacted}@`],
  [/\b(bearer|basic)\s+[A-Za-z0-9._~+/=-]+/gi, `$1 ${redacted}`],
  [/\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]*)?/g, redacted],
  [/([?&#](?:token|access_token|refresh_token|password|code|key|signature)=)[^\s&#"']+/gi, `$1${redacted}`],
]

export function redactText(text: string): string {
  // Most lines hold nothing of the kind; one look tells.
  if (!/:\/\/|bearer|basic|eyJ|[?&#]/i.test(text)) return text
  let clean = text
  for (const [pattern, replacement] of secretTexts) clean = clean.replace(pattern, replacement)
  return clean
}

const depthMax = 6
const entriesMax = 200

/** A copy without secrets. What lies deeper than six levels, or beyond 200 entries of a list or object, is left out. */
export function redactValue(value: unknown, depth = 0): unknown {
  if (typeof value === 'string') return redactText(value)
  if (typeof value !== 'object' || value === null) return value
  if (depth >= depthMax) return '[…]'
  if (Array.isArray(value)) return value.slice(0, entriesMax).map((entry) => redactValue(entry, depth + 1))
  if (ArrayBuffer.isView(value)) return `[${value.byteLength} bytes]`
  if ('toJSON' in value && typeof value.toJSON === 'function') return redactValue((value.toJSON as () => unknown)(), depth + 1)
  const entries = Object.entries(value).slice(0, entriesMax)
  return Object.fromEntries(
    entries.map(([name, entry]) => [name, isSecretName(name) && entry !== undefined ? redacted : redactValue(entry, depth + 1)]),
  )
}

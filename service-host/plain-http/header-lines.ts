/** Names as they mostly come, so that no text is made for them. */
const lowerNames = new Map(
  [
    'Host',
    'Connection',
    'Content-Type',
    'Content-Length',
    'Authorization',
    'Accept',
    'Accept-Encoding',
    'Accept-Language',
    'User-Agent',
    'Origin',
    'Referer',
    'Cookie',
    'Cache-Control',
    'X-Request-Id',
    'X-Forwarded-For',
    'X-Forwarded-Proto',
    'X-Forwarded-Host',
    'Sec-Fetch-Mode',
    'Traceparent',
    'Tracestate',
  ].flatMap((name) => [
    [name, name.toLowerCase()],
    [name.toLowerCase(), name.toLowerCase()],
  ]),
)

const tokenCharacter = 1
export const targetCharacter = 2
const valueCharacter = 4
/** Bytes beyond ASCII, which values may hold by an older standard. */
const obsoleteCharacter = 8
/** What each byte may be part of. */
const classes = new Uint8Array(256)
for (const character of "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
  classes[character.charCodeAt(0)]! |= tokenCharacter
for (let byte = 0x21; byte <= 0x7e; byte++) classes[byte]! |= targetCharacter | valueCharacter
for (let byte = 0x80; byte <= 0xff; byte++) classes[byte]! |= obsoleteCharacter
classes[0x20]! |= valueCharacter
classes[0x09]! |= valueCharacter
// A fragment or a backslash in a target is read differently by different servers.
for (const character of '#\\') classes[character.charCodeAt(0)]! &= ~targetCharacter

/**
 * Reads lines of a head, each a name, a colon and a value and ended by CRLF, from `at` to the end of `text`: names in lower case to `names`, values without the white
 * space around them to `values`. False where a line is anything else, or there are more than `linesMax`. Values are ASCII.
 */
export function readHeaderLines(text: string, at: number, names: string[], values: string[], linesMax: number): boolean {
  while (at < text.length) {
    const colon = headerColon(text, at)
    const lineEnd = colon < 0 ? -1 : headerLineEnd(text, colon, valueCharacter)
    if (lineEnd < 0 || names.length === linesMax) return false
    names.push(headerName(text, at, colon))
    values.push(headerValue(text, colon, lineEnd))
    at = lineEnd + 2
  }
  return true
}

/** Where the colon is of a line that begins at `at`; negative where it does not begin with a name. */
export function headerColon(text: string, at: number): number {
  const nameEnd = endOfClass(text, at, tokenCharacter)
  return nameEnd === at || text.charCodeAt(nameEnd) !== 0x3a ? -1 : nameEnd
}

/** Where the CRLF is that ends the line with this colon; negative where the value has what no value may have. `allowed`: its characters. */
export function headerLineEnd(text: string, colon: number, allowed = valueCharacter | obsoleteCharacter): number {
  const lineEnd = endOfClass(text, colon + 1, allowed)
  return text.charCodeAt(lineEnd) === 0x0d && text.charCodeAt(lineEnd + 1) === 0x0a ? lineEnd : -1
}

/** In lower case. */
export function headerName(text: string, at: number, colon: number): string {
  const given = text.slice(at, colon)
  return lowerNames.get(given) ?? given.toLowerCase()
}

/** Without the white space around it. */
export function headerValue(text: string, colon: number, lineEnd: number): string {
  return text.slice(afterSpace(text, colon + 1, lineEnd), beforeSpace(text, colon + 1, lineEnd))
}

/** The first place from `at` on whose character is not of `wanted`; the length of the text where there is none. */
export function endOfClass(text: string, at: number, wanted: number): number {
  while (at < text.length && (classes[text.charCodeAt(at)]! & wanted) !== 0) at += 1
  return at
}

function isSpace(code: number): boolean {
  return code === 0x20 || code === 0x09
}

function afterSpace(text: string, from: number, to: number): number {
  while (from < to && isSpace(text.charCodeAt(from))) from += 1
  return from
}

function beforeSpace(text: string, from: number, to: number): number {
  while (to > from && isSpace(text.charCodeAt(to - 1))) to -= 1
  return to
}

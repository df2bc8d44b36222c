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
 * space around them to `values`. False where a line is anything else, or there are more than `linesMax`. Values are ASCII unless `isObsoleteTaken`.
 */
export function readHeaderLines(
  text: string,
  at: number,
  names: string[],
  values: string[],
  linesMax: number,
  isObsoleteTaken = false,
): boolean {
  const value = isObsoleteTaken ? valueCharacter | obsoleteCharacter : valueCharacter
  while (at < text.length) {
    const nameEnd = endOfClass(text, at, tokenCharacter)
    if (nameEnd === at || text.charCodeAt(nameEnd) !== 0x3a || names.length === linesMax) return false
    const lineEnd = endOfClass(text, nameEnd + 1, value)
    if (text.charCodeAt(lineEnd) !== 0x0d || text.charCodeAt(lineEnd + 1) !== 0x0a) return false
    const given = text.slice(at, nameEnd)
    names.push(lowerNames.get(given) ?? given.toLowerCase())
    values.push(text.slice(afterSpace(text, nameEnd + 1, lineEnd), beforeSpace(text, nameEnd + 1, lineEnd)))
    at = lineEnd + 2
  }
  return true
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

/** Thrown where a text is no JSON, with how far it was. */
export class JsonTextError extends Error {
  override name = 'JsonTextError'
}

/** Deeper than any event; what is made to be deeper must not exhaust the stack of whoever walks it. */
const depthMax = 64
const quote = 0x22
const backslash = 0x5c
const opening = new Set([0x7b, 0x5b])
const closing = new Set([0x7d, 0x5d])
const space = new Set([0x20, 0x09, 0x0a, 0x0d, 0x2c, 0xfeff])

/**
 * The JSON objects and lists that stand one after another in a text, with spaces, line ends or commas between them or nothing: one document, pages
 * put together, or a line for each. Throws JsonTextError where something else comes.
 */
export function* jsonValues(text: string): Generator<unknown, void, undefined> {
  let start = -1
  let depth = 0
  let isText = false
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at)
    if (isText) {
      if (unit === backslash) at += 1
      else if (unit === quote) isText = false
    } else if (opening.has(unit)) {
      if (depth === 0) start = at
      depth += 1
      if (depth > depthMax) throw new JsonTextError(`what begins at character ${start + 1} is nested more than ${depthMax} deep`)
    } else if (closing.has(unit)) {
      depth -= 1
      if (depth < 0) throw new JsonTextError(`"${text[at]}" at character ${at + 1} closes nothing`)
      if (depth === 0) yield parse(text.slice(start, at + 1), start)
    } else if (depth === 0) {
      if (!space.has(unit)) throw new JsonTextError(`character ${at + 1} is "${text[at]}", where an object or a list should begin`)
    } else if (unit === quote) isText = true
  }
  if (depth > 0) throw new JsonTextError('the text ends in the middle of a value')
}

function parse(text: string, at: number): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    throw new JsonTextError(`what begins at character ${at + 1} is not JSON: ${(error as Error).message}`, { cause: error })
  }
}

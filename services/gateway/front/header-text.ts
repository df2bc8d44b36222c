/**
 * Headers as text, the form in which they leave: lines of a name, a colon, a value and CRLF. Names and values are such as were read from a head, or our own: nothing
 * in them ends a line.
 */
export type HeaderText = string

/** From a flat list of names and values. */
export function headerText(flat: readonly string[]): HeaderText {
  let text = ''
  for (let at = 0; at < flat.length; at += 2) text += `${flat[at]}: ${flat[at + 1]}\r\n`
  return text
}

/** As a flat list of names and values. */
export function headerList(text: HeaderText): string[] {
  const list: string[] = []
  let from = 0
  while (from < text.length) {
    const colon = text.indexOf(':', from)
    const end = text.indexOf('\r\n', colon)
    list.push(text.slice(from, colon), text.slice(colon + 1, end).trim())
    from = end + 2
  }
  return list
}

export function headerRecord(text: HeaderText): Record<string, string> {
  const list = headerList(text)
  return Object.fromEntries(list.flatMap((name, at) => (at % 2 === 0 ? [[name, list[at + 1]!]] : [])))
}

/** Order and trade ids: the number the state machine gave, in base 36 of a fixed width, so that ids sort by time as text. */
const width = 11

export function formatId(number: number): string {
  return number.toString(36).padStart(width, '0')
}

/** Undefined for a text that is no id of ours. */
export function parseId(text: string): number | undefined {
  if (text.length !== width || !/^[0-9a-z]+$/.test(text)) return undefined
  const number = Number.parseInt(text, 36)
  return Number.isSafeInteger(number) && number > 0 ? number : undefined
}

import { JsonBytes, piece } from '../publisher/json-bytes.ts'
import type { EventText } from '../publisher/event-texts.ts'

const [openingBracket, closingBracket, comma, closingBrace] = [piece('['), piece(']'), piece(','), piece('}')]
const [sequence, type, timestamp, data] = [piece('{"sequence":'), piece(',"type":"'), piece('","timestamp":"'), piece('","data":')]
const text = new JsonBytes(64 * 1_024)

/** Events of an account as a row of the history holds them: a JSON array of {sequence, type, timestamp, data}. Good until the next call. */
export function runText(events: readonly EventText[]): Uint8Array {
  text.length = 0
  text.put(openingBracket)
  for (let index = 0; index < events.length; index++) {
    const event = events[index]!
    if (index > 0) text.put(comma)
    text.put(sequence)
    text.integer(event.sequence)
    text.put(type)
    text.ascii(event.type)
    text.put(timestamp)
    text.ascii(event.timestamp)
    text.put(data)
    text.copy(event.text, event.dataStart, event.dataEnd)
    text.put(closingBrace)
  }
  text.put(closingBracket)
  return text.bytes.subarray(0, text.length)
}

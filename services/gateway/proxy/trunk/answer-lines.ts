import { AnswerFault, readAnswerLines } from '../answer-head.ts'
import type { AnswerLines } from '../headers.ts'

/** Texts of answers' headers that are remembered, of at most so many characters. */
const linesKept = { max: 512, characters: 512 }
const knownLines = new Map<string, AnswerLines>()

/** The headers of an answer on a trunk, remembered as services say the same of most answers. Throws AnswerFault. */
export function linesOf(text: string): AnswerLines {
  const known = knownLines.get(text)
  if (known) return known
  const lines = readAnswerLines(text)
  if (lines.length !== undefined || lines.coding !== undefined) throw new AnswerFault('the answer is framed in two ways')
  if (text.length <= linesKept.characters) {
    // Rather all anew than none for what comes most, after many that come once.
    if (knownLines.size === linesKept.max) knownLines.clear()
    knownLines.set(text, lines)
  }
  return lines
}

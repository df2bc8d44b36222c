import type { NotificationKind } from '@maru/contracts/http/notification'
import { english } from './english.ts'
import type { Texts } from './figures.ts'
import { korean } from './korean.ts'

const templates = { en: english, ko: korean }

/** The words for a notification in a language. Plain text: nothing in it is markup. */
export function render(language: 'en' | 'ko', kind: NotificationKind, data: Readonly<Record<string, unknown>>): Texts {
  return templates[language][kind](data)
}

import { systemUserPrefix } from '@maru/contracts'

/** A name as it is shown, and the key it is compared by. */
export interface NormalName {
  shown: string
  key: string
}

// ASCII alone: mail servers without SMTPUTF8 take it, and no look-alike of another address can be registered.
const emailShape =
  /^[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*$/

/** Undefined where the text is no e-mail address. Compared in Unicode normal form KC and lower case. */
export function normalEmail(text: string): NormalName | undefined {
  const shown = text.normalize('NFKC').trim()
  if (shown.length > 254 || !emailShape.test(shown)) return undefined
  const local = shown.slice(0, shown.indexOf('@'))
  if (local.startsWith('.') || local.endsWith('.') || local.includes('..')) return undefined
  return { shown, key: shown.toLowerCase() }
}

const usernameShape = /^[\p{L}\p{N}][\p{L}\p{M}\p{N}._-]{1,31}$/u
// Letters of these scripts do not pass for one another, so a name may mix them.
const mixable = /[\p{Script=Latin}\p{Script=Hangul}\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}]|ー/u
const alone = [
  /\p{Script=Cyrillic}/u,
  /\p{Script=Greek}/u,
  /\p{Script=Arabic}/u,
  /\p{Script=Hebrew}/u,
  /\p{Script=Thai}/u,
  /\p{Script=Devanagari}/u,
]

/**
 * Undefined where the text cannot be a user name: 2 to 32 letters, digits, dots, dashes or underscores, letters of one script
 * (Latin may stand beside Korean, Chinese and Japanese ones), not beginning with `system-`.
 */
export function normalUsername(text: string): NormalName | undefined {
  const shown = text.normalize('NFKC').trim()
  if (!usernameShape.test(shown)) return undefined
  const letters = shown.match(/\p{L}/gu) ?? []
  const oneKind =
    letters.every((character) => mixable.test(character)) || alone.some((script) => letters.every((character) => script.test(character)))
  const key = shown.toLowerCase().normalize('NFKC')
  if (!oneKind || key.startsWith(systemUserPrefix)) return undefined
  return { shown, key }
}

/** The key of what was typed as a login; undefined where nobody can be called that. */
export function loginKey(text: string): { column: 'email_key' | 'username_key'; key: string } | undefined {
  if (text.includes('@') || text.includes('＠')) {
    const email = normalEmail(text)
    return email && { column: 'email_key', key: email.key }
  }
  const username = normalUsername(text)
  return username && { column: 'username_key', key: username.key }
}

/** Passwords are hashed in normal form KC, so that the same keys typed on another system are the same password (RFC 8265 asks for a normal form). */
export function normalPassword(text: string): string {
  return text.normalize('NFKC')
}

/** A figure of a notification as text; a missing one shows as a dash. Control characters never reach a subject or a body. */
export function figure(data: Readonly<Record<string, unknown>>, name: string): string {
  const value = data[name]
  if (typeof value !== 'string' && typeof value !== 'number') return '–'
  const text = String(value).replaceAll(/\p{Cc}/gu, ' ')
  // Decimals on the wire may carry zeros to the last place of their market.
  return /^-?\d+\.\d+$/.test(text) ? text.replace(/\.?0+$/, '') : text
}

export interface Texts {
  title: string
  body: string
}

export type Template = (data: Readonly<Record<string, unknown>>) => Texts

import type { TObjectOptions, TProperties, TSchema } from 'typebox'
import { Type } from './type.ts'

/** Shapes shared by the contracts of several services. */

/** Longest decimal accepted on the wire, in characters: 2^53 minor units with sign and point fit with room. */
const decimalCharactersMax = 40

/**
 * A decimal in a request: a string, or a JSON number. More digits than the market or asset has are refused by the service
 * (`tick_size`, `lot_size`, `invalid_amount`), never rounded.
 */
export const DecimalIn = Type.Union(
  [
    Type.String({ pattern: '^[0-9]{1,20}(\\.[0-9]{1,18})?$', maxLength: decimalCharactersMax }),
    Type.Number({ exclusiveMinimum: 0, maximum: 9007199254740991 }),
  ],
  { description: 'A positive decimal, as a string such as "0.0015" (numbers are accepted).' },
)

/** A decimal in an answer: always a string, without an exponent. */
export const Decimal = Type.String({ description: 'A decimal as a string, for example "64250.10".' })

export const Timestamp = Type.String({ description: 'ISO 8601, UTC.' })

/** `BTC/USDT` in JSON and query. */
export const SymbolName = Type.String({
  pattern: '^[A-Z0-9]{1,12}/[A-Z0-9]{1,12}$',
  maxLength: 25,
  description: 'A market, such as BTC/USDT.',
})

/** `BTC-USDT` or `BTC%2FUSDT` in a path; handlers see it with the slash after `symbolFromPath`. */
export const SymbolInPath = Type.String({ minLength: 3, maxLength: 25, description: 'A market in a path: BTC-USDT, or BTC%2FUSDT.' })

export function symbolFromPath(text: string): string {
  return text.replace('-', '/').toUpperCase()
}

/** The other way round. */
export function symbolToPath(symbol: string): string {
  return symbol.replace('/', '-')
}

export const UserId = Type.String({ minLength: 1, maxLength: 64, pattern: '^[A-Za-z0-9_-]+$', description: 'The id of a user.' })

export const AssetName = Type.String({ pattern: '^[A-Z0-9]{1,12}$', maxLength: 12, description: 'An asset, such as BTC.' })

export const Limit = (defaultLimit: number, maximum: number) =>
  Type.Optional(Type.Integer({ minimum: 1, maximum, default: defaultLimit, description: `Items on a page, at most ${maximum}.` }))

export const Cursor = Type.Optional(
  Type.String({ minLength: 1, maxLength: 128, pattern: '^[A-Za-z0-9_-]+$', description: 'The next_cursor of the page before.' }),
)

/** Query of a short list that is held whole: without `limit` all of it, up to the most a page has. */
export const PageQuery = Type.Object({ limit: Limit(500, 500), cursor: Cursor }, { additionalProperties: false })

/** The shape of every list. */
export const ListOf = <T extends TSchema>(item: T) =>
  Type.Object({ items: Type.Array(item), next_cursor: Type.Union([Type.String(), Type.Null()]) })

/** Requests refuse what they do not know, so that a misspelt field is never silently dropped. */
export const Strict = <T extends TProperties>(properties: T, options: TObjectOptions = {}) =>
  Type.Object(properties, { additionalProperties: false, ...options })

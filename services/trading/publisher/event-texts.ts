import type { OrderData, OrderListData, TradingEvent } from '@maru/contracts'
import { canonicalJson } from '@maru/contracts/account-chain'
import { decodeJsonRecord, encodeJsonBytes } from '@maru/event-log'
import { parseId } from '../wire/order-id.ts'
import { JsonBytes, piece } from './json-bytes.ts'

/** What the index of orders has of an order. */
export interface ShownOrder {
  number: number
  /** Null where its client gave it none. */
  clientOrderId: string | null
  symbol: string
  status: OrderData['status']
}

/** What an event says besides its data. */
export interface EventHead {
  /** Number of the command that caused it, and of the event among those of the command; together they are its id. */
  command: number
  index: number
  type: TradingEvent['type']
  timestamp: string
  userId: string
  sequence: number
}

/** An event, and where its data stands in the text of its record: canonical JSON (sorted keys, no spaces), as it is published, hashed and stored. */
export interface EventText extends Readonly<EventHead> {
  readonly text: JsonBytes
  dataStart: number
  dataEnd: number
  /** The order that its data is. */
  order: ShownOrder | undefined
  /** Number of the order that it is a fill of; 0 where it is none. */
  filled: number
  /** The list that its data is. */
  list: OrderListData | undefined
}

const [openingBracket, closingBracket, comma, closingBrace] = [piece('['), piece(']'), piece(','), piece('}')]
const [id, dash, type] = [piece('{"id":"'), piece('-'), piece('","type":"')]
const [timestamp, userId, sequence, data] = [
  piece('","v":1,"timestamp":"'),
  piece('","user_id":'),
  piece(',"sequence":'),
  piece(',"data":'),
]

const firstBytes = 16 * 1_024
/** Texts that are kept to be written again, and how large each may be: what the history lags behind by is more only when it is in trouble. */
const sparesMax = 4
const spareBytesMax = 8 * 1_024 * 1_024
const spares: JsonBytes[] = []

/**
 * The events of one record of `trading-events`, as the JSON that it will hold, written one after another. Its memory is used again once it is released:
 * a megabyte each round, left to the collector, would be a full collection every few seconds.
 */
export class EventTexts {
  readonly events: EventText[] = []
  readonly #text: JsonBytes

  constructor() {
    this.#text = spares.pop() ?? new JsonBytes(firstBytes)
    this.#text.length = 0
    this.#text.put(openingBracket)
  }

  /** Begins an event: its data is to be written to `text` next, and `end` to be called. */
  begin(head: EventHead): EventText {
    const text = this.#text
    if (this.events.length > 0) text.put(comma)
    text.put(id)
    text.id(head.command)
    text.put(dash)
    text.integer(head.index)
    text.put(type)
    text.ascii(head.type)
    text.put(timestamp)
    text.ascii(head.timestamp)
    text.put(userId)
    text.string(head.userId)
    text.put(sequence)
    text.integer(head.sequence)
    text.put(data)
    const event: EventText = {
      command: head.command,
      index: head.index,
      type: head.type,
      timestamp: head.timestamp,
      userId: head.userId,
      sequence: head.sequence,
      text,
      dataStart: text.length,
      dataEnd: 0,
      order: undefined,
      filled: 0,
      list: undefined,
    }
    this.events.push(event)
    return event
  }

  end(event: EventText): void {
    event.dataEnd = event.text.length
    event.text.put(closingBrace)
  }

  /** An event whose data has sorted keys, at every level, and so is canonical as `JSON.stringify` writes it. */
  add(head: EventHead, body: unknown): EventText {
    const event = this.begin(head)
    event.text.raw(JSON.stringify(body))
    this.end(event)
    return event
  }

  /** The record. Nothing may be written any more. */
  encode(): Buffer {
    this.#text.put(closingBracket)
    return encodeJsonBytes(this.#text.bytes.subarray(0, this.#text.length))
  }

  /** Nobody will look at the data of its events again. */
  release(): void {
    if (spares.length < sparesMax && this.#text.bytes.length <= spareBytesMax) spares.push(this.#text)
  }
}

/** The data of an event as a text. */
export function dataText({ text, dataStart, dataEnd }: EventText): string {
  return text.bytes.toString('utf8', dataStart, dataEnd)
}

/** The events of a record that is read from the log. */
export function readEventTexts(body: Uint8Array): EventText[] {
  return eventTextsOf(decodeJsonRecord(body) as TradingEvent[]).events
}

export function eventTextsOf(events: readonly TradingEvent[]): EventTexts {
  const texts = new EventTexts()
  for (const event of events) {
    const head = {
      ...numbersOf(event.id),
      type: event.type,
      timestamp: event.timestamp,
      userId: event.user_id,
      sequence: event.sequence,
    }
    const text = texts.begin(head)
    text.text.raw(canonicalJson(event.data))
    texts.end(text)
    about(text, event)
  }
  return texts
}

/** Number of the command that an event is of, and of the event among those of the command. */
export function numbersOf(eventId: string): { command: number; index: number } {
  const at = eventId.indexOf('-')
  const command = parseId(eventId.slice(0, Math.max(0, at)))
  if (command === undefined) throw new Error(`"${eventId}" is not the id of a trading event`)
  return { command, index: Number(eventId.slice(at + 1)) }
}

function about(text: EventText, event: TradingEvent): void {
  switch (event.type) {
    case 'order.created':
    case 'order.rejected':
    case 'order.triggered':
    case 'order.status_updated':
    case 'order.amended': {
      const { id: order, client_order_id: clientOrderId, symbol, status } = event.data
      text.order = { number: orderNumber(order), clientOrderId: clientOrderId === order ? null : clientOrderId, symbol, status }
      break
    }
    case 'trade.executed':
      text.filled = orderNumber(event.data.order_id)
      break
    case 'order_list.created':
      text.list = event.data
      break
    default:
  }
}

function orderNumber(id: string): number {
  const number = parseId(id)
  if (number === undefined) throw new Error(`"${id}" is not the id of an order`)
  return number
}

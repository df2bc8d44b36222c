import type { TradingEvent } from '@maru/contracts'

/** A trading event with its data as the JSON it is published, hashed and stored as: canonical, so with sorted keys and no spaces. */
export interface EventText {
  readonly event: TradingEvent
  readonly data: string
}

/** The data as `translate` makes it has sorted keys, at every level, and so is canonical as it is written. */
export function eventText(event: TradingEvent): EventText {
  return { event, data: JSON.stringify(event.data) }
}

/** The event as the topic holds it. */
export function publishedJson({ event, data }: EventText): string {
  const { id, type, v, timestamp, user_id, sequence } = event
  return `{"id":"${id}","type":"${type}","v":${v},"timestamp":"${timestamp}","user_id":${JSON.stringify(user_id)},"sequence":${sequence},"data":${data}}`
}

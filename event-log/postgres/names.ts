/** The table of a topic. Throws RangeError for what is no topic name; the result is safe in SQL. */
export function tableOf(topic: string): string {
  if (!/^[a-z][a-z0-9]*([.-][a-z0-9]+)*$/.test(topic) || topic.length > 40)
    throw new RangeError(`not a topic name: ${JSON.stringify(topic.slice(0, 60))}`)
  return topic.replaceAll(/[.-]/g, '_')
}

/** NOTIFY channel of a topic; the payload is the offset of a new record. */
export function channelOf(topic: string): string {
  return `event_log_${tableOf(topic)}`
}

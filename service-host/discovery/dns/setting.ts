export interface DnsSetting {
  /** Name to look up, with `{service}` in it. */
  template: string
  /** Port of instances that are found by address alone. */
  port: number | undefined
  /** Name server with its port; the system's where unset. */
  server: string | undefined
  /** What was looked up is looked up again after this at the latest. */
  ttlMaxMs: number
}

const ttlMaxSecondsUsual = 5

/** Reads what follows `dns:`, such as `_http._tcp.{service}.maru.svc.cluster.local?port=8000`. Throws what is wrong with it. */
export function readDnsSetting(text: string): DnsSetting {
  const mark = text.indexOf('?')
  const template = mark < 0 ? text : text.slice(0, mark)
  const query = new URLSearchParams(mark < 0 ? '' : text.slice(mark + 1))
  if (template.split('{service}').length !== 2) throw new Error('has no name with {service} in it once, such as dns:{service}.example.com')
  if (!/^[a-z0-9_.-]{1,200}$/i.test(template.replace('{service}', 's'))) throw new Error(`has "${template}", which is no name`)
  for (const key of query.keys())
    if (!['port', 'server', 'ttl_max'].includes(key)) throw new Error(`has "${key}", which is none of port, server, ttl_max`)
  const whole = (key: string, max: number): number | undefined => {
    const value = query.get(key)
    if (value === null) return undefined
    if (!/^[0-9]{1,6}$/.test(value) || Number(value) < 1 || Number(value) > max)
      throw new Error(`has a ${key} that is no number from 1 to ${max}`)
    return Number(value)
  }
  return {
    template,
    port: whole('port', 65_535),
    server: query.get('server') ?? undefined,
    ttlMaxMs: (whole('ttl_max', 3_600) ?? ttlMaxSecondsUsual) * 1_000,
  }
}

/** The services that have a role and a schema in the database. */
export const serviceKeys = ['trading', 'user', 'market-data', 'notification', 'analytics', 'gateway'] as const
export type ServiceKey = (typeof serviceKeys)[number]

/** The database role of a service: `maru_market_data`. */
export function roleOf(service: string): string {
  return `maru_${service.replaceAll('-', '_')}`
}

/** The schema of a service. `user` is a reserved word of SQL, so the user service has `users`; the result needs no quotes. */
export function schemaOf(service: string): string {
  return service === 'user' ? 'users' : service.replaceAll('-', '_')
}

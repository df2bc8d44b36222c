/** What the gateway knows of the services it routes to, for the choice between their instances. */
export interface ServiceTraffic {
  /** Of the gateway's requests under way, the share that this service may hold. */
  inFlightShare: number
  /** Answers this quick are quick enough: see ConcurrencyLimit. */
  latencyFloorMs: number
}

/** Trading may hold most, and never all: a user must be able to log in while it hangs. */
const known: Readonly<Record<string, ServiceTraffic>> = {
  trading: { inFlightShare: 0.75, latencyFloorMs: 50 },
  // Passwords are hashed slowly on purpose, a few at a time, and queue for it in a bounded queue of the service's own.
  user: { inFlightShare: 0.25, latencyFloorMs: 1_000 },
  'market-data': { inFlightShare: 0.25, latencyFloorMs: 50 },
  notification: { inFlightShare: 0.125, latencyFloorMs: 100 },
  analytics: { inFlightShare: 0.125, latencyFloorMs: 500 },
}

const other: ServiceTraffic = { inFlightShare: 0.125, latencyFloorMs: 100 }

export function trafficOf(service: string): ServiceTraffic {
  return known[service] ?? other
}

/** A service that announces this wants each user's requests to go to one instance, as far as can be: what they wrote is there to read at once. */
export const byUserCapability = 'route-by-user'

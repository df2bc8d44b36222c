import type { Endpoint } from '../endpoint.ts'
import { analyticsEndpoints } from './analytics.ts'
import { gatewayEndpoints, type GatewayEndpoint } from './gateway.ts'
import { marketDataEndpoints } from './market-data.ts'
import { notificationEndpoints } from './notification.ts'
import { tradingEndpoints } from './trading.ts'
import { tradingControlEndpoints } from './trading-controls.ts'
import { tradingMoneyEndpoints } from './trading-money.ts'
import { userEndpoints } from './user.ts'
import { apiKeyEndpoints } from './user-api-keys.ts'

/** Every endpoint of every service: what the gateway routes and checks, and what the OpenAPI document shows. */
export const serviceEndpoints: readonly Endpoint[] = [
  tradingEndpoints,
  tradingControlEndpoints,
  tradingMoneyEndpoints,
  userEndpoints,
  apiKeyEndpoints,
  marketDataEndpoints,
  notificationEndpoints,
  analyticsEndpoints,
].flatMap((endpoints): Endpoint[] => Object.values(endpoints))

/** Those, and the gateway's own. */
export const allEndpoints: readonly (Endpoint | GatewayEndpoint)[] = [...serviceEndpoints, ...Object.values(gatewayEndpoints)]

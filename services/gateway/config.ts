import { processSettings, setting, type Parser, type Values } from '@maru/service-host'
import { parseTrusted } from './edge/client-address.ts'
import type { LimitSettings } from './edge/limits.ts'
import type { BlockList } from 'node:net'

const origins: Parser<readonly string[]> = {
  parse(text) {
    const list = setting.list().parse(text)
    for (const origin of list) {
      // `*` is refused on purpose: an allow-list names who is allowed.
      if (!URL.canParse(origin) || new URL(origin).origin !== origin)
        throw new Error(`has "${origin}", which is no origin such as https://example.com`)
    }
    return list
  },
}

const proxies: Parser<BlockList | undefined> = { parse: (text) => parseTrusted(setting.list().parse(text)) }

/** Where nothing is set: this machine itself, where proxies, benchmarks and operators are. */
const unlimited: Parser<BlockList | undefined> = {
  parse: (text) => parseTrusted(text === undefined || text === '' ? ['127.0.0.0/8', '::1'] : setting.list().parse(text)),
}

const milliseconds = (fallback: number) => setting.integer({ min: 10, max: 600_000, fallback })
const count = (fallback: number) => setting.integer({ min: 1, max: 10_000_000, fallback })

const optionalCount: Parser<number | undefined> = {
  parse: (text) => (text === undefined || text === '' ? undefined : count(1).parse(text)),
}

/** Settings of the gateway; each is described in README.md. */
export const gatewaySettings = {
  ...processSettings,
  MARU_GATEWAY_HOST: setting.text('127.0.0.1'),
  MARU_PORT: setting.integer({ min: 0, max: 65_535, fallback: 8_080 }),
  /** Where Prometheus reads `/metrics`; 0: any free port, which `maru start` writes to MARU_HOME/prometheus/targets.json. */
  MARU_METRICS_HOST: setting.text('127.0.0.1'),
  MARU_METRICS_PORT: setting.integer({ min: 0, max: 65_535, fallback: 0 }),
  /** A listening socket that was handed over and is shared with other gateways, by its number; 0: this one listens on MARU_PORT by itself. */
  MARU_LISTEN_FD: setting.integer({ min: 0, max: 1_000, fallback: 0 }),
  MARU_CORS_ORIGINS: origins,
  MARU_TRUSTED_PROXIES: proxies,
  MARU_RATE_LIMIT_PER_SECOND: count(2_000),
  MARU_RATE_LIMIT_BURST: count(4_000),
  MARU_RATE_LIMIT_KEY_PER_SECOND: optionalCount,
  MARU_RATE_LIMIT_KEY_BURST: optionalCount,
  MARU_RATE_LIMIT_ANONYMOUS_PER_SECOND: optionalCount,
  MARU_RATE_LIMIT_ANONYMOUS_BURST: optionalCount,
  MARU_RATE_LIMIT_ADDRESS_PER_SECOND: optionalCount,
  MARU_RATE_LIMIT_ADDRESS_BURST: optionalCount,
  MARU_RATE_LIMIT_ATTEMPTS_PER_SECOND: count(20),
  MARU_RATE_LIMIT_ATTEMPTS_BURST: count(400),
  /** File with 32 random bytes in base64url, by which the user service knows the gateway. Unset, there are no API keys. */
  MARU_GATEWAY_KEY_FILE: setting.optionalText(),
  MARU_GATEWAY_BODY_MAX_BYTES: setting.integer({ min: 1_024, max: 16_777_216, fallback: 65_536 }),
  MARU_GATEWAY_IN_FLIGHT_MAX: count(2_048),
  MARU_GATEWAY_STREAMS_MAX: count(10_000),
  MARU_GATEWAY_CONNECTIONS_PER_ADDRESS: setting.integer({ min: 1, max: 1_000_000, fallback: 2_000 }),
  /** Addresses and subnets beside the trusted proxies for which that does not count. */
  MARU_GATEWAY_CONNECTIONS_UNLIMITED: unlimited,
  MARU_GATEWAY_SLOW_READER_MS: milliseconds(30_000),
  /** Answers at least this long are compressed for clients that take it; 0: none is. */
  MARU_GATEWAY_COMPRESS_MIN_BYTES: setting.integer({ min: 0, max: 16_777_216, fallback: 2_048 }),
  MARU_GATEWAY_HEADERS_TIMEOUT_MS: milliseconds(10_000),
  MARU_GATEWAY_REQUEST_TIMEOUT_MS: milliseconds(30_000),
  MARU_GATEWAY_UPSTREAM_TIMEOUT_MS: milliseconds(15_000),
  MARU_GATEWAY_WAIT_MS: milliseconds(1_000),
  MARU_GATEWAY_TRUNKS: setting.oneOf(['yes', 'no'], 'yes'),
  MARU_CIRCUIT_FAILURES: setting.integer({ min: 1, max: 1_000, fallback: 5 }),
  MARU_CIRCUIT_OPEN_MS: milliseconds(60_000),
  MARU_GATEWAY_SLOW_START_MS: setting.integer({ min: 0, max: 600_000, fallback: 10_000 }),
}

export type GatewaySettings = Omit<Values<typeof gatewaySettings>, Exclude<keyof typeof processSettings, 'MARU_HTTP_PARSER'>>

/** Limits as set; those left open follow the limit of a user. */
export function limitsOf(settings: GatewaySettings): LimitSettings {
  const { MARU_RATE_LIMIT_PER_SECOND: perSecond, MARU_RATE_LIMIT_BURST: burst } = settings
  const part = (of: number, share: number) => Math.max(1, Math.ceil(of * share))
  const bounds = (name: 'KEY' | 'ANONYMOUS' | 'ADDRESS', share: number) => ({
    perSecond: settings[`MARU_RATE_LIMIT_${name}_PER_SECOND`] ?? part(perSecond, share),
    burst: settings[`MARU_RATE_LIMIT_${name}_BURST`] ?? part(burst, share),
  })
  return {
    user: { perSecond, burst },
    key: bounds('KEY', 1),
    anonymous: bounds('ANONYMOUS', 1 / 2),
    address: bounds('ADDRESS', 5),
    attempts: { perSecond: settings.MARU_RATE_LIMIT_ATTEMPTS_PER_SECOND, burst: settings.MARU_RATE_LIMIT_ATTEMPTS_BURST },
  }
}

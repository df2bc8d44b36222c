import { fileURLToPath } from 'node:url'
import { readSharedKey, type ServiceDefinition } from '@maru/service-host'
import { serveHandingOut } from './api-keys/handing-out.ts'
import { serveApiKeys } from './api-keys/routes.ts'
import { createAccessTokens, createKeyTokens } from './authentication/access-token.ts'
import { Passwords } from './authentication/passwords.ts'
import { serveAuthentication } from './authentication/routes.ts'
import { readSigningKey } from './authentication/signing-key.ts'
import { serveRevokedTokens } from './authorization/revoked-tokens.ts'
import { serveAuthorization } from './authorization/routes.ts'
import { readUserConfig } from './config.ts'
import { RegistrationTraces } from './monitoring/registration-traces.ts'
import { OutboxRelay } from './outbox/relay.ts'
import { ensureOperator } from './profile-management/operator-file.ts'
import { serveProfileManagement } from './profile-management/routes.ts'
import { startHousekeeping } from './store/housekeeping.ts'

export const userService: ServiceDefinition = {
  service: 'user',
  migrations: fileURLToPath(new URL('store', import.meta.url)),
  async start({ pool, log, logger, http, tracing, environment, shutdown }) {
    const config = readUserConfig(environment)
    const key = await readSigningKey(config.tokenKeyFile)
    const [sealingKey, gatewayKey] = await Promise.all([
      config.apiKeysKeyFile === undefined ? undefined : readSharedKey('MARU_API_KEYS_KEY_FILE', config.apiKeysKeyFile),
      config.gatewayKeyFile === undefined ? undefined : readSharedKey('MARU_GATEWAY_KEY_FILE', config.gatewayKeyFile),
    ])
    const passwords = new Passwords({ atOnceMax: config.hashesAtOnce, queueMax: config.hashQueueMax })
    if (config.operatorFile !== undefined) await ensureOperator({ pool, passwords, logger }, config.operatorFile)
    const traces = new RegistrationTraces(tracing, pool)
    const relay = new OutboxRelay({ pool, log, logger, onAppended: (body, startMs) => traces.appended(body, startMs) })
    const limit = { attemptsMax: config.loginAttemptsMax, windowSeconds: config.loginWindowSeconds }
    serveAuthentication(http, { pool, passwords, limit, key, accessTokens: createAccessTokens(key) })
    serveApiKeys(http, { pool, passwords, limit, sealingKey })
    if (sealingKey && gatewayKey) serveHandingOut(http, { pool, gatewayKey, sealingKey, keyTokens: createKeyTokens(key) })
    serveProfileManagement(http, { pool, passwords, relay, traces })
    serveAuthorization(http, { pool })
    serveRevokedTokens(http, { pool })
    startHousekeeping(pool, logger, shutdown)
    return { [Symbol.asyncDispose]: () => relay[Symbol.asyncDispose]() }
  },
}

import { readSettings, setting, type Environment } from '@maru/service-host'

const shape = {
  /** PEM file (PKCS #8) of the Ed25519 key that signs access tokens; the same for all instances. */
  MARU_TOKEN_KEY_FILE: setting.text(),
  /** JSON `{"email","password"}` of the first operator; ensured at start. */
  MARU_OPERATOR_FILE: setting.optionalText(),
  /** Files with 32 random bytes in base64url: what seals the secrets of API keys at rest, and by what the gateway is known. Unset, there are no API keys. */
  MARU_API_KEYS_KEY_FILE: setting.optionalText(),
  MARU_GATEWAY_KEY_FILE: setting.optionalText(),
  /** Password hashes computed at once, and how many may wait before 503. */
  MARU_PASSWORD_HASHES_AT_ONCE: setting.integer({ min: 1, max: 64, fallback: 2 }),
  MARU_PASSWORD_QUEUE_MAX: setting.integer({ min: 0, max: 10_000, fallback: 64 }),
  /** Logins of one name within the window before 429; a success starts the count anew. */
  MARU_LOGIN_ATTEMPTS_MAX: setting.integer({ min: 1, max: 1_000, fallback: 10 }),
  MARU_LOGIN_WINDOW_SECONDS: setting.integer({ min: 1, max: 86_400, fallback: 300 }),
}

/** Settings of the user service. Throws SettingsError that names every fault. */
export function readUserConfig(environment: Environment) {
  const values = readSettings(environment, shape)
  return {
    tokenKeyFile: values.MARU_TOKEN_KEY_FILE,
    operatorFile: values.MARU_OPERATOR_FILE,
    apiKeysKeyFile: values.MARU_API_KEYS_KEY_FILE,
    gatewayKeyFile: values.MARU_GATEWAY_KEY_FILE,
    hashesAtOnce: values.MARU_PASSWORD_HASHES_AT_ONCE,
    hashQueueMax: values.MARU_PASSWORD_QUEUE_MAX,
    loginAttemptsMax: values.MARU_LOGIN_ATTEMPTS_MAX,
    loginWindowSeconds: values.MARU_LOGIN_WINDOW_SECONDS,
  }
}

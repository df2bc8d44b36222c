import { followRevocations, keysFromUserService, readSharedKey, runProcess, TokenVerifier } from '@maru/service-host'
import { gatewaySettings } from './config.ts'
import { startGateway } from './service.ts'

/** Longer than a request is under way, shorter than anybody would wait for the end of a gateway. */
const idleGraceMs = 1_000

await runProcess('gateway', gatewaySettings, async ({ discovery, describe, logger, tracing, settings, shutdown }) => {
  const { MARU_GATEWAY_KEY_FILE: keyFile } = settings
  const gatewayKey = keyFile === undefined ? undefined : await readSharedKey('MARU_GATEWAY_KEY_FILE', keyFile)
  const verifier = new TokenVerifier(keysFromUserService(discovery))
  followRevocations({ discovery, logger, signal: shutdown, onRevoked: (before) => verifier.revoke(before) })
  const gateway = await startGateway({ discovery, describe, logger, tracing, settings, verifier, gatewayKey })
  return { ...gateway, stop: () => gateway.stop(idleGraceMs) }
})

import { followRevocations, keysFromUserService, runProcess, TokenVerifier } from '@maru/service-host'
import { gatewaySettings } from './config.ts'
import { startGateway } from './service.ts'

/** Longer than a request is under way, shorter than anybody would wait for the end of a gateway. */
const idleGraceMs = 1_000

await runProcess('gateway', gatewaySettings, async ({ discovery, logger, settings, shutdown }) => {
  const verifier = new TokenVerifier(keysFromUserService(discovery))
  followRevocations({ discovery, logger, signal: shutdown, onRevoked: (before) => verifier.revoke(before) })
  const gateway = await startGateway({ discovery, logger, settings, verifier })
  return { ...gateway, stop: () => gateway.stop(idleGraceMs) }
})

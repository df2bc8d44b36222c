import { followRevocations, keysFromUserService, runProcess, TokenVerifier } from '@maru/service-host'
import { gatewaySettings } from './config.ts'
import { startGateway } from './service.ts'

await runProcess('gateway', gatewaySettings, ({ discovery, logger, settings, shutdown }) => {
  const verifier = new TokenVerifier(keysFromUserService(discovery))
  followRevocations({ discovery, logger, signal: shutdown, onRevoked: (before) => verifier.revoke(before) })
  return startGateway({ discovery, logger, settings, verifier })
})

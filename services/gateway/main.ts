import { keysFromUserService, runProcess, TokenVerifier } from '@maru/service-host'
import { gatewaySettings } from './config.ts'
import { startGateway } from './service.ts'

await runProcess('gateway', gatewaySettings, ({ discovery, logger, settings }) =>
  startGateway({ discovery, logger, settings, verifier: new TokenVerifier(keysFromUserService(discovery)) }),
)

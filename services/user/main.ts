import { runService } from '@maru/service-host'
import { userService } from './service.ts'

await runService(userService)

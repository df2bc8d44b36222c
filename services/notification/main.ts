import { runService } from '@maru/service-host'
import { notificationService } from './service.ts'

await runService(notificationService)

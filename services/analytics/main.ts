import { runService } from '@maru/service-host'
import { analyticsService } from './service.ts'

await runService(analyticsService)

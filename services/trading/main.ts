import { runService } from '@maru/service-host'
import { definition } from './service.ts'

await runService(definition)

import { runService } from '@maru/service-host'
import { fileURLToPath } from 'node:url'
import { start } from './service.ts'

await runService({ service: 'market-data', migrations: fileURLToPath(new URL('./store', import.meta.url)), start })

import { test } from 'vitest'
import { startPlatform } from '../support/platform.ts'
import { startMailServer, walkThrough } from './journey.ts'

test('a newcomer trades on the synthetic market, end to end', { timeout: 300_000 }, async () => {
  await using mail = await startMailServer()
  await using platform = await startPlatform({ env: { MARU_MARKET_DATA: 'synthetic:7', SMTP_URL: mail.url } })
  await walkThrough(platform, mail.mails)
})

import { expect, test } from 'vitest'
import { readNotificationConfig } from '../config.ts'

test('faults of the mail settings are named together, a line each, and no password with them', () => {
  const faulty = { SMTP_URL: 'http://me:hidden@mail', MARU_MAIL_FROM: 'nobody' }
  expect(() => readNotificationConfig(faulty)).toThrow(
    'Settings at fault:\n  - MARU_MAIL_FROM must be an address, or a name and an address in angle brackets\n  - SMTP_URL must begin with smtp:// or smtps://\nSee',
  )
})

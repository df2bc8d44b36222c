import { readSettings, setting, SettingsError, type Environment } from '@maru/service-host'

const shape = {
  /** `smtp://user:password@host:port` or `smtps://…`. Without it mails are kept as not sent. */
  SMTP_URL: setting.optionalText(),
  /** Sender of mails: `Name <address>` or an address. */
  MARU_MAIL_FROM: setting.text('Maru <maru@localhost>'),
  /** Mails to one user within an hour; more are kept as not sent. */
  MARU_MAILS_PER_HOUR_MAX: setting.integer({ min: 1, max: 100_000, fallback: 60 }),
  MARU_MAIL_ATTEMPTS_MAX: setting.integer({ min: 1, max: 50, fallback: 8 }),
  /** Wait before the second attempt; doubles with each, up to ten minutes. */
  MARU_MAIL_RETRY_MS: setting.integer({ min: 10, max: 600_000, fallback: 5_000 }),
}

export interface NotificationConfig {
  smtpUrl: string | undefined
  from: { name: string; address: string }
  mailsPerHourMax: number
  attemptsMax: number
  retryMs: number
}

/** Settings of the notification service. Throws SettingsError that names what is at fault. */
export function readNotificationConfig(environment: Environment): NotificationConfig {
  const values = readSettings(environment, shape)
  const from = /^(?:([^<>\r\n"]*?)\s*<([^<>\s@]+@[^<>\s@]+)>|([^<>\s@]+@[^<>\s@]+))$/.exec(values.MARU_MAIL_FROM.trim())
  const faults: string[] = []
  if (!from) faults.push('MARU_MAIL_FROM must be an address, or a name and an address in angle brackets')
  // The URL may hold a password: it is never quoted.
  if (values.SMTP_URL !== undefined && !/^smtps?:\/\//.test(values.SMTP_URL)) faults.push('SMTP_URL must begin with smtp:// or smtps://')
  if (!from || faults.length > 0) throw new SettingsError(faults)
  return {
    smtpUrl: values.SMTP_URL,
    from: { name: from[1] ?? 'Maru', address: from[2] ?? from[3] ?? '' },
    mailsPerHourMax: values.MARU_MAILS_PER_HOUR_MAX,
    attemptsMax: values.MARU_MAIL_ATTEMPTS_MAX,
    retryMs: values.MARU_MAIL_RETRY_MS,
  }
}

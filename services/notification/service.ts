import { fileURLToPath } from 'node:url'
import { topics, type TradingEvent, type UserEvent } from '@maru/contracts'
import { consume } from '@maru/event-log'
import { schemaOf, type ServiceDefinition } from '@maru/service-host'
import { readNotificationConfig } from './config.ts'
import { giveUpQueued } from './email/deliveries.ts'
import { Mailer } from './email/mailer.ts'
import { openMailServer } from './email/smtp.ts'
import { applyEvents } from './inbox/apply-events.ts'
import { serveNotification } from './routes.ts'

const connectionsMax = 3

export const notificationService: ServiceDefinition = {
  service: 'notification',
  migrations: fileURLToPath(new URL('store', import.meta.url)),
  async start({ service, pool, log, logger, http, environment, shutdown }) {
    const config = readNotificationConfig(environment)
    const canMail = config.smtpUrl !== undefined
    const options = { canMail, mailDomain: config.from.address.split('@').at(-1) ?? 'localhost' }
    const reading = [topics.userEvents, topics.tradingEvents].map((topic) =>
      consume({
        log,
        topic,
        name: 'inbox',
        pool,
        schema: schemaOf(service),
        handler: (client, events) => applyEvents(client, topic, events as (TradingEvent | UserEvent)[], options),
        signal: shutdown,
        logger,
      }),
    )
    let mailer: Mailer | undefined
    if (config.smtpUrl === undefined) {
      await giveUpQueued(pool)
      logger.warn('SMTP_URL is not set: mails are kept as not sent')
    } else {
      const { attemptsMax, retryMs, mailsPerHourMax } = config
      mailer = new Mailer({ pool, logger, server: openMailServer(config.smtpUrl, config.from, connectionsMax), attemptsMax, retryMs, mailsPerHourMax })
    }
    serveNotification(http, { pool, canMail })
    return {
      async [Symbol.asyncDispose]() {
        await mailer?.[Symbol.asyncDispose]()
        void reading
      },
    }
  },
}

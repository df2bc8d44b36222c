import { fileURLToPath } from 'node:url'
import { topics, type TradingEvent, type UserEvent } from '@maru/contracts'
import { consume } from '@maru/event-log'
import { schemaOf, type ServiceDefinition } from '@maru/service-host'
import { readNotificationConfig, type NotificationConfig } from './config.ts'
import { giveUpQueued } from './email/deliveries.ts'
import { Mailer, mailsAtOnceMax, type MailerParts } from './email/mailer.ts'
import { measureMails } from './monitoring/metrics.ts'
import { NotificationTraces } from './monitoring/traces.ts'
import { openMailServer } from './email/smtp.ts'
import { applyEvents } from './inbox/apply-events.ts'
import { InboxTrimmer } from './inbox/inbox-trimmer.ts'
import { serveNotification } from './routes.ts'

/** Events become notifications so much later at most; in return a burst of them is one transaction. */
const gatherMs = 50

export const notificationService: ServiceDefinition = {
  service: 'notification',
  migrations: fileURLToPath(new URL('store', import.meta.url)),
  async start({ service, pool, log, logger, http, tracing, metrics, environment, shutdown, fail }) {
    const config = readNotificationConfig(environment)
    const canMail = config.smtpUrl !== undefined
    const trimmer = new InboxTrimmer()
    const options = { trimmer, canMail, mailDomain: config.from.address.split('@').at(-1) ?? 'localhost' }
    const traces = new NotificationTraces(tracing, pool)
    const measure = measureMails(metrics, pool)
    const onAttempt: MailerParts['onAttempt'] = (outcome, elapsedMs, eventKey) => {
      measure(outcome, elapsedMs)
      traces.mailed(eventKey, outcome, elapsedMs)
    }
    const mailer = config.smtpUrl === undefined ? undefined : startMailer(config.smtpUrl, config, { pool, logger, onAttempt })
    if (!mailer) {
      await giveUpQueued(pool)
      logger.warn('SMTP_URL is not set: mails are kept as not sent')
    }
    const stop = new AbortController()
    const signal = AbortSignal.any([shutdown, stop.signal])
    const readers = [topics.userEvents, topics.tradingEvents].map((topic) => {
      const reader = consume<TradingEvent | UserEvent>({
        log,
        topic,
        name: 'inbox',
        pool,
        schema: schemaOf(service),
        gatherMs,
        handler: async (client, events) => {
          const startMs = Date.now()
          await applyEvents(client, topic, events, options)
          traces.applied(topic, events, startMs)
        },
        signal,
        logger,
      })
      reader.done.catch((error: unknown) => fail(`the reader of ${topic} cannot go on`, error))
      return reader
    })
    serveNotification(http, { pool, canMail })
    return {
      async [Symbol.asyncDispose]() {
        stop.abort()
        await Promise.allSettled(readers.map((reader) => reader.done))
        await mailer?.[Symbol.asyncDispose]()
      },
    }
  },
}

function startMailer(smtpUrl: string, config: NotificationConfig, parts: Pick<MailerParts, 'pool' | 'logger' | 'onAttempt'>): Mailer {
  const { attemptsMax, retryMs, mailsPerHourMax } = config
  return new Mailer({ ...parts, server: openMailServer(smtpUrl, config.from, mailsAtOnceMax), attemptsMax, retryMs, mailsPerHourMax })
}

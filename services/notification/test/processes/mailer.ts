import { createLogger, createPool } from '@maru/service-host'
import { Mailer } from '../../email/mailer.ts'
import { openMailServer } from '../../email/smtp.ts'

/** A mailer that dies by SIGKILL when the server has taken its first mail and nothing is marked yet. */
const pool = createPool(process.env['DATABASE_URL'] ?? '', { applicationName: 'dying-mailer', onError: () => undefined })
const server = openMailServer(process.env['SMTP_URL'] ?? '', { name: 'Maru', address: 'maru@test.example' }, 1)
const mailer = new Mailer({
  pool,
  server: {
    async send(mail) {
      await server.send(mail)
      process.kill(process.pid, 'SIGKILL')
    },
    close: () => server.close(),
  },
  logger: createLogger({ service: 'test', instanceId: 'dying-mailer', level: 'silent' }),
  attemptsMax: 8,
  retryMs: 20,
  mailsPerHourMax: 60,
})
process.on('disconnect', () => void mailer[Symbol.asyncDispose]())

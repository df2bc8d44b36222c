import { pino, type Logger } from 'pino'

export type { Logger }

/** JSON lines on standard output; secrets never pass, whatever is logged. */
export function createLogger(options: { service: string; instanceId: string; level: string }): Logger {
  return pino({
    level: options.level,
    base: { service: options.service, instance: options.instanceId },
    timestamp: pino.stdTimeFunctions.isoTime,
    redact: {
      paths: [
        'password',
        '*.password',
        'authorization',
        '*.authorization',
        'headers.authorization',
        'req.headers.authorization',
        'token',
        '*.token',
        'access_token',
        'refresh_token',
        'secret',
        '*.secret',
      ],
      censor: '[redacted]',
    },
  })
}

import { createTransport } from 'nodemailer'

export interface Mail {
  to: { name: string; address: string }
  subject: string
  text: string
  messageId: string
  date: Date
}

/** Takes mails to an SMTP server. */
export interface MailServer {
  /** Resolves when the server has taken the mail over. @throws what the server or the network said */
  send(mail: Mail): Promise<void>
  close(): void
}

/** One pool of connections, each step bounded in time. Neither credentials nor contents are logged. */
export function openMailServer(url: string, from: { name: string; address: string }, connectionsMax: number): MailServer {
  const transport = createTransport(
    {
      url,
      pool: true,
      maxConnections: connectionsMax,
      maxMessages: 100,
      connectionTimeout: 5_000,
      greetingTimeout: 5_000,
      socketTimeout: 10_000,
      dnsTimeout: 5_000,
      disableFileAccess: true,
      disableUrlAccess: true,
    },
    { from },
  )
  return {
    async send(mail) {
      await transport.sendMail({
        to: { name: oneLine(mail.to.name), address: mail.to.address },
        subject: oneLine(mail.subject),
        text: mail.text,
        messageId: mail.messageId,
        date: mail.date,
        headers: { 'Auto-Submitted': 'auto-generated' },
      })
    },
    close: () => transport.close(),
  }
}

/** A header is one line: whatever could begin another is taken out before the library sees it. */
function oneLine(text: string): string {
  return text
    .replaceAll(/[\p{Cc}\p{Zl}\p{Zp}]+/gu, ' ')
    .trim()
    .slice(0, 200)
}

/** One plain address and nothing else: no list, no group, no display name, no line break. */
export function isMailAddress(text: string): boolean {
  return text.length <= 254 && /^[^\s@<>"(),:;\\[\]\p{Cc}]+@[A-Za-z0-9.-]+$/u.test(text)
}

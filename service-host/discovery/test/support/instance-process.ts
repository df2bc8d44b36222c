import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { pino } from 'pino'
import { openDiscovery } from '../../open.ts'
import { discoverySetting } from '../../setting.ts'
import { Self } from '../../self.ts'

/** An instance of a service and nothing else, as a process: it announces itself, says at `/health/ready` what it is, and does what it is told by messages. */
const environment = process.env
const read = (name: string) => environment[name] ?? ''
using self = new Self({ service: read('INSTANCE_SERVICE'), id: read('INSTANCE_ID'), version: '1.2.3' })
self.capabilities = ['websocket', 'http']
let inFlight = 0
self.work = () => ({ inFlight, streams: 0 })

const discovery = await openDiscovery({
  setting: discoverySetting(environment).parse(environment['MARU_DISCOVERY']),
  connectionString: read('DATABASE_URL'),
  logger: pino({ level: 'silent' }),
})
const server = createServer((_request, response) => {
  const instance = self.describe()
  response.writeHead(instance.state === 'ready' ? 200 : 503, { 'content-type': 'application/json' }).end(JSON.stringify({ instance }))
})
const host = environment['INSTANCE_HOST'] ?? '127.0.0.1'
await new Promise<void>((resolve) => server.listen(0, host, resolve))
const url = `http://${host}:${(server.address() as AddressInfo).port}`
const announcement = await discovery.announce(self.announcement(url, 'starting'), () => self.load())

process.on('disconnect', () => process.exit(0))
process.on('message', (message: { state?: 'starting' | 'ready'; withdraw?: true; inFlight?: number }) => {
  void carryOut(message).then(() => process.send?.({ done: true }))
})
process.send?.({ url })

async function carryOut(message: { state?: 'starting' | 'ready'; withdraw?: true; inFlight?: number }): Promise<void> {
  if (message.inFlight !== undefined) inFlight = message.inFlight
  if (message.state) {
    self.turned(message.state)
    await announcement.setState(message.state)
  }
  if (message.withdraw) {
    self.turned('draining')
    await announcement.withdraw()
  }
}

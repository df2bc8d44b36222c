import { once } from 'node:events'
import { connect } from 'node:net'

/** Opens as many connections as asked to a port of this machine, says so, and keeps them without a word until it is killed. */
const [port = '', count = ''] = process.argv.slice(2)
const atOnce = 500
for (let opened = 0; opened < Number(count); opened += atOnce)
  await Promise.all(
    Array.from({ length: Math.min(atOnce, Number(count) - opened) }, () => once(connect(Number(port), '127.0.0.1'), 'connect')),
  )
process.send?.('connected')
process.on('disconnect', () => process.exit())

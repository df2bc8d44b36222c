import proxy from '@fastify/http-proxy'
import Fastify from 'fastify'

const app = Fastify()
await app.register(proxy, { upstream: process.env['UPSTREAM_URL']! })
const url = await app.listen({ host: '127.0.0.1', port: 0 })
process.send?.({ type: 'ready', url })
process.on('disconnect', () => process.exit(0))

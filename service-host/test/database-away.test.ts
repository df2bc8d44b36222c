import pg from 'pg'
import { pino } from 'pino'
import Type from 'typebox'
import { expect, test } from 'vitest'
import { endpoint } from '@maru/contracts'
import { createTestDatabase } from '../../test/support/postgres.ts'
import { createHttpService } from '../http.ts'
import { createIssuer } from './support/tokens.ts'

const contract = endpoint({
  service: 'trading',
  method: 'GET',
  path: '/orders/:id',
  access: 'public',
  summary: '',
  params: Type.Object({ id: Type.String() }),
  status: 200,
  reply: Type.Object({ id: Type.String() }),
})

test.each(['plain', 'node'] as const)(
  'a database that cannot be reached is 503 and says when to ask again; what is our fault is 500 (%s)',
  async (parser) => {
    await using database = await createTestDatabase()
    const pool = new pg.Pool({ connectionString: database.urls.trading, max: 1 })
    const away = new pg.Pool({ connectionString: 'postgres://maru@127.0.0.1:1/maru' })
    const http = createHttpService({ logger: pino({ level: 'silent' }), verifier: createIssuer().verifier, parser })
    http.serve(contract, async ({ params: { id } }) => {
      if (id === 'away') await away.query('select 1')
      // As when PostgreSQL ends or restarts under a statement.
      if (id === 'cut') await pool.query('select pg_terminate_backend(pg_backend_pid())')
      if (id === 'wrong') await pool.query('select no_such_column')
      return { id }
    })
    pool.on('error', () => undefined)
    const url = await http.app.listen({ host: '127.0.0.1', port: 0 })
    const ask = async (id: string) => {
      const answer = await fetch(`${url}/orders/${id}`)
      return {
        status: answer.status,
        retryAfter: answer.headers.get('retry-after'),
        code: ((await answer.json()) as { code?: string }).code,
      }
    }
    for (const id of ['away', 'cut']) expect(await ask(id)).toEqual({ status: 503, retryAfter: '1', code: 'unavailable' })
    expect(await ask('wrong')).toEqual({ status: 500, retryAfter: null, code: 'internal' })
    expect(await ask('1')).toMatchObject({ status: 200 })
    await http.stop(100)
    await Promise.all([pool.end(), away.end()])
  },
)

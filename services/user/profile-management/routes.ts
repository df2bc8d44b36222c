import type pg from 'pg'
import { userEndpoints } from '@maru/contracts/http/user'
import type { HttpService } from '@maru/service-host'
import type { Passwords } from '../authentication/passwords.ts'
import { currentUser } from '../authorization/current-user.ts'
import type { RegistrationTraces } from '../monitoring/registration-traces.ts'
import type { OutboxRelay } from '../outbox/relay.ts'
import { toUser } from '../store/users.ts'
import { changeProfile } from './profile.ts'
import { registerUser } from './registration.ts'

/** How long an answer waits for its event to reach the log: usually a millisecond or two; the event is safe either way. */
const carryTimeoutMs = 1_000

export interface ProfileParts {
  pool: pg.Pool
  passwords: Passwords
  relay: OutboxRelay
  traces: RegistrationTraces
}

export function serveProfileManagement(http: Pick<HttpService, 'serve'>, parts: ProfileParts): void {
  const { pool, relay } = parts

  http.serve(userEndpoints.register, async ({ body, request, requestId }) => {
    const userId = await registerUser(parts, {
      email: body.email,
      username: body.username,
      password: body.password,
      language: body.language ?? (/^ko\b/i.test(request.headers['accept-language'] ?? '') ? 'ko' : 'en'),
      roles: [],
      requestId,
    })
    // Whoever has just registered may trade with the next request, so the event goes ahead of the answer.
    await relay.carryNow(carryTimeoutMs)
    return { message: 'Registered.', user_id: userId }
  })

  http.serve(userEndpoints.me, async (call) => toUser((await currentUser(pool, call)).user))

  http.serve(userEndpoints.updateMe, async (call) => {
    const { user } = await currentUser(pool, call)
    const changed = await changeProfile(pool, user.id, call.body, call.requestId)
    await relay.carryNow(carryTimeoutMs)
    return toUser(changed)
  })
}

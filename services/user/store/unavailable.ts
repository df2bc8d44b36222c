import { isTransientDatabaseError } from '@maru/event-log'
import { Problem, type HttpService } from '@maru/service-host'

/** The same HTTP side, where a database that is away or restarting is answered with 503 `unavailable` and not as a fault of ours. */
export function answeringWithoutDatabase(http: HttpService): Pick<HttpService, 'serve'> {
  return {
    serve(endpoint, handler) {
      http.serve(endpoint, async (call) => {
        try {
          return await handler(call)
        } catch (error) {
          if (isTransientDatabaseError(error)) throw new Problem('unavailable', 'The database cannot be reached now.')
          throw error
        }
      })
    },
  }
}

import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { IncomingMessage } from 'node:http'
import { collectBody } from './body.ts'
import { Problem } from './problem.ts'

/** An escaped NUL in JSON: legal there, but no text in PostgreSQL. */
const escapedNul = /(?:^|[^\\])(?:\\\\)*\\u0000/

function nulProblem(path: string): Problem {
  return new Problem('invalid_request', `${path}: NUL characters are not accepted.`, {
    errors: [{ path, message: 'must not hold a NUL character' }],
  })
}

/** Levels of a body that are searched for the field to name; no contract nests as deep. */
const depthMax = 16

/** Path of the first text with a NUL; undefined where only a name, or a level too deep, holds one. */
function pathOfNul(value: unknown, depth = 0): string | undefined {
  if (typeof value === 'string') return value.includes('\0') ? '' : undefined
  if (value === null || typeof value !== 'object' || depth === depthMax) return undefined
  for (const [name, member] of Object.entries(value)) {
    const path = pathOfNul(member, depth + 1)
    if (path !== undefined) return path === '' ? name : `${name}.${path}`
  }
  return undefined
}

/** Whether a text can hold neither a NUL nor a name that would reach a prototype: it has no escape, and does not spell one. */
function isHarmless(text: string): boolean {
  return !text.includes('\\') && !text.includes('__proto__') && !text.includes('constructor')
}

/** Reads the text of a body. Throws Problem `invalid_json` or `invalid_request`. */
export interface BodyParsers {
  json(text: string): unknown
  form(text: string): Record<string, string>
}

/** JSON and forms, as text without NUL characters; anything else has no parser. */
export function useBodyParsers(app: FastifyInstance, maxBytes: number): BodyParsers {
  const parseJson = app.getDefaultJsonParser('error', 'error')
  app.removeAllContentTypeParsers()
  const json = (text: string): unknown => {
    if (text === '') return undefined
    if (isHarmless(text)) {
      try {
        return JSON.parse(text)
      } catch {
        throw new Problem('invalid_json')
      }
    }
    let body: unknown
    let fault: unknown
    // It calls back before it returns, and looks at nothing of the request.
    void parseJson({} as FastifyRequest, text, (error, parsed) => {
      fault = error
      body = parsed
    })
    if (fault) throw new Problem('invalid_json')
    if (text.includes('\\u0000') && escapedNul.test(text)) throw nulProblem(pathOfNul(body) ?? 'body')
    return body
  }
  const add = (type: string, parseText: (text: string) => unknown): void => {
    app.addContentTypeParser(type, (_request: FastifyRequest, payload: IncomingMessage, done) => {
      collectBody(payload, maxBytes, (error, bytes) => {
        let body: unknown
        try {
          if (error) throw error
          body = parseText((bytes as Buffer).toString('utf8'))
        } catch (problem) {
          done(problem as Error)
          return
        }
        done(null, body)
      })
    })
  }
  add('application/json', json)
  add('application/x-www-form-urlencoded', parseForm)
  return { json, form: parseForm }
}

function parseForm(text: string): Record<string, string> {
  const body: Record<string, string> = Object.create(null) as Record<string, string>
  for (const [name, value] of new URLSearchParams(text)) {
    if (name in body) throw new Problem('invalid_request', undefined, { errors: [{ path: name.slice(0, 200), message: 'is given twice' }] })
    if (value.includes('\0') || name.includes('\0')) throw nulProblem(name.replaceAll('\0', '').slice(0, 200))
    body[name] = value
  }
  return { ...body }
}

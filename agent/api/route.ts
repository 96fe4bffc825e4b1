import type { z } from 'zod'
import type { Access } from './auth.ts'
import type { ApiContext, ApiDeps, Caller } from './deps.ts'
import { ProblemError } from './problem.ts'
import type { SchemaName } from './schemas.ts'

/** An answer as the API description tells it. */
export interface Answer {
  means: string
  /** Of a JSON answer. */
  schema?: SchemaName
  /** Of any other answer. */
  contentType?: string
}

interface RouteBase {
  /** Operation id in the API description, and what the audit log calls it. */
  name: string
  method: 'get' | 'post'
  /** As in OpenAPI: "/v1/jobs/{name}". */
  path: string
  access: Access
  summary: string
  /** Beside the errors, which are problem documents. */
  answers: Record<number, Answer>
}

interface RouteRequest<Params, Query> {
  c: ApiContext
  deps: ApiDeps
  params: Params
  query: Query
  /** Undefined on open routes, and on local ones when nobody had to be recognised. */
  caller: Caller | undefined
}

interface RouteSpec<P extends z.ZodObject, Q extends z.ZodObject> extends RouteBase {
  /** Functions, since building schemas at start would cost time that most starts never need. */
  params?: () => P
  /** Strict, so that a mistyped filter is an error. Where there is none, any query is ignored. */
  query?: () => Q
  handle(request: RouteRequest<z.output<P>, z.output<Q>>): Response | Promise<Response>
}

export interface Route extends RouteBase {
  params: (() => z.ZodObject) | undefined
  query: (() => z.ZodObject) | undefined
  run(c: ApiContext, deps: ApiDeps, caller: Caller | undefined): Response | Promise<Response>
}

/** A route whose handler gets its parameters validated: a wrong one in the path is 404, in the query 400. */
export function defineRoute<P extends z.ZodObject, Q extends z.ZodObject>(spec: RouteSpec<P, Q>): Route {
  const { handle, params, query, ...base } = spec
  return {
    ...base,
    params,
    query,
    run(c, deps, caller) {
      return handle({ c, deps, caller, params: parseParams(c, params), query: parseQuery(c, query) })
    },
  }
}

function parseParams<P extends z.ZodObject>(c: ApiContext, schema: (() => P) | undefined): z.output<P> {
  const parsed = schema?.().safeParse(c.req.param())
  if (parsed && !parsed.success) throw new ProblemError('not-found', 'There is nothing of that name.')
  return parsed?.data as z.output<P>
}

function parseQuery<Q extends z.ZodObject>(c: ApiContext, schema: (() => Q) | undefined): z.output<Q> {
  const given = Object.entries(c.req.queries())
  const values = Object.fromEntries(given.map(([name, all]) => [name, all.length === 1 ? all[0] : all]))
  const parsed = schema?.().safeParse(values)
  if (!parsed || parsed.success) return parsed?.data as z.output<Q>
  throw invalid(
    parsed.error.issues.flatMap((issue) =>
      issue.code === 'unrecognized_keys'
        ? issue.keys.map((key) => ({ parameter: key, reason: 'there is no such parameter' }))
        : [{ parameter: issue.path.join('.'), reason: issue.message }],
    ),
  )
}

function invalid(errors: { parameter: string; reason: string }[]): ProblemError {
  const detail = errors.map((error) => `${error.parameter}: ${error.reason}`).join('; ')
  return new ProblemError('invalid-parameter', detail, { members: { errors } })
}

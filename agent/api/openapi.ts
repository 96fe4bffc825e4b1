import { z } from 'zod'
import type { Answer, Route } from './route.ts'
import { schemas } from './schemas.ts'

/** The API description, OpenAPI 3.1, generated from the routes and the schemas that they use. */
export function describeApi(routes: Route[], version: string): object {
  const paths: Record<string, Record<string, object>> = {}
  for (const route of routes) {
    paths[route.path] = { ...paths[route.path], [route.method]: describeOperation(route) }
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'reeve',
      version,
      summary: 'What this host’s jobs found, did and proved',
      description:
        'Over the unix socket no token is needed. Every error is a problem document (RFC 9457). ' +
        'At most 100 requests and 5 wrong tokens a minute from one address.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: '/' }],
    paths,
    components: {
      schemas: describeSchemas(),
      securitySchemes: {
        token: {
          type: 'http',
          scheme: 'bearer',
          description:
            'Scopes: read, operate, admin; each includes the ones before it. Made by `reeve token new`',
        },
      },
    },
  }
}

function describeOperation(route: Route): object {
  const answers = Object.entries(route.answers).map(([status, answer]) => [
    status,
    describeAnswer(status, answer),
  ])
  const needed = route.access === 'open' || route.access === 'local' ? [] : [route.access]
  return {
    operationId: route.name,
    summary: route.summary,
    ...(needed.length > 0 && { description: `Needs a token of scope \`${needed[0]}\`.` }),
    security:
      route.access === 'open' ? [] : route.access === 'local' ? [{}, { token: [] }] : [{ token: needed }],
    parameters: [...describeParameters('path', route.params), ...describeParameters('query', route.query)],
    responses: { ...Object.fromEntries(answers), default: problemAnswer('The request was not answered') },
  }
}

function describeAnswer(status: string, answer: Answer): object {
  if (Number(status) >= 400) return problemAnswer(answer.means)
  const { means: description, schema, contentType } = answer
  if (schema) {
    const reference = { $ref: `#/components/schemas/${schema}` }
    return { description, content: { 'application/json': { schema: reference } } }
  }
  if (!contentType) return { description }
  return {
    description,
    content: { [contentType]: { schema: contentType === 'application/json' ? {} : { type: 'string' } } },
  }
}

function problemAnswer(means: string): object {
  return {
    description: means,
    content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } },
  }
}

function describeParameters(place: 'path' | 'query', schema: (() => z.ZodObject) | undefined): object[] {
  if (!schema) return []
  const { properties = {}, required = [] } = z.toJSONSchema(schema(), { io: 'input' })
  return Object.entries(properties).map(([name, property]) => {
    const { description, asSent, ...rest } = typeof property === 'boolean' ? {} : property
    return {
      name,
      in: place,
      required: place === 'path' || required.includes(name),
      ...(description && { description }),
      schema: asSent ?? rest,
    }
  })
}

/** Each named schema once, with references between them. */
function describeSchemas(): object {
  const registry = z.registry<{ id: string }>()
  for (const [id, schema] of Object.entries(schemas())) registry.add(schema, { id })
  const described = z.toJSONSchema(registry, {
    io: 'output',
    uri: (id) => `#/components/schemas/${id}`,
    // A later version may say more; nobody is to rely on its silence.
    override: ({ jsonSchema }) => {
      if (jsonSchema.additionalProperties === false) delete jsonSchema.additionalProperties
    },
  })
  return Object.fromEntries(
    Object.entries(described.schemas).map(([name, { $schema: _dialect, $id: _id, ...schema }]) => [
      name,
      schema,
    ]),
  )
}

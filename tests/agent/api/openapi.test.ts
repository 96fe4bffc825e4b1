import { expect, test } from 'bun:test'
import { z } from 'zod'
import { routes } from '../../../agent/api/routes.ts'
import { bodyOf, callable, testHost } from './host.ts'

interface Document {
  openapi: string
  paths: Record<string, Record<string, Operation>>
  components: { schemas: Record<string, z.core.JSONSchema.JSONSchema> }
}

interface Operation {
  operationId: string
  security: Record<string, string[]>[]
  parameters: { name: string; in: string; required: boolean; schema: object; description?: string }[]
  responses: Record<string, { description: string; content?: Record<string, { schema: { $ref?: string } }> }>
}

async function described(): Promise<Document> {
  using host = testHost()
  return bodyOf<Document>(await host.app('socket').fetch('/openapi.json'))
}

/** The validator that the document itself describes, made anew from its JSON; no member may be undescribed. */
function validatorOf(document: Document, name: string): z.ZodType {
  const text = JSON.stringify(document.components.schemas).replaceAll('#/components/schemas/', '#/$defs/')
  const $defs: Record<string, z.core.JSONSchema.JSONSchema> = JSON.parse(text, (_key, value) =>
    value?.properties ? { additionalProperties: false, ...value } : value,
  )
  return z.fromJSONSchema({ ...$defs[name], $defs }, { defaultTarget: 'draft-2020-12' })
}

test('the description has every route, each with an operation id of its own', async () => {
  const document = await described()
  expect(document.openapi).toBe('3.1.0')
  const operations = Object.values(document.paths).flatMap((methods) => Object.values(methods))
  expect(operations.map(({ operationId }) => operationId).toSorted()).toEqual(
    routes.map(({ name }) => name).toSorted(),
  )
  expect(new Set(operations.map(({ operationId }) => operationId)).size).toBe(operations.length)
})

test('every reference of the description leads somewhere', async () => {
  const document = await described()
  const references = [...JSON.stringify(document).matchAll(/"\$ref":"([^"]+)"/g)].map(
    (match) => match[1] ?? '',
  )
  expect(references.length).toBeGreaterThan(20)
  for (const reference of references) {
    expect(reference).toStartWith('#/components/schemas/')
    expect(document.components.schemas).toHaveProperty([reference.slice('#/components/schemas/'.length)])
  }
})

test('every parameter is described, and those of the path are required', async () => {
  const document = await described()
  for (const [path, methods] of Object.entries(document.paths)) {
    for (const { parameters } of Object.values(methods)) {
      const inPath = [...path.matchAll(/\{(\w+)\}/g)].map((match) => match[1])
      const declared = parameters.filter((parameter) => parameter.in === 'path')
      expect(declared.map(({ name }) => name)).toEqual(inPath as string[])
      expect(declared.every(({ required }) => required)).toBe(true)
      for (const parameter of parameters.filter(({ in: place }) => place === 'query')) {
        expect(parameter.description).toBeString()
      }
    }
  }
})

test('the description says who may call what', async () => {
  const { paths } = await described()
  expect(paths['/healthz']?.get?.security).toEqual([])
  expect(paths['/v1/status']?.get?.security).toEqual([{}, { token: [] }])
  expect(paths['/v1/jobs']?.get?.security).toEqual([{ token: ['read'] }])
  expect(paths['/v1/jobs/{name}/run']?.post?.security).toEqual([{ token: ['operate'] }])
})

test('what the API answers is what the description promises', async () => {
  const document = await described()
  using host = testHost({ filled: true })
  const progress = { done: 1, total: 0, label: 'files' }
  host.deps.running = () => [{ job: 'app-logs', runId: 5, startedAt: host.clock.now, progress }]
  const app = host.app('socket')
  let compared = 0
  for (const [path, methods] of Object.entries(document.paths)) {
    for (const [method, { responses }] of Object.entries(methods)) {
      const url = callable(method, path)
      const response = await app.fetch(url, { method: method.toUpperCase() })
      const content = responses[response.status]?.content
      if (response.status === 204) continue
      const type = response.headers.get('Content-Type') ?? ''
      expect([path, response.status, Object.keys(content ?? {})]).toEqual([path, response.status, [type]])
      const reference = content?.[type]?.schema.$ref
      if (!reference) continue
      const answer = await response.json()
      const result = validatorOf(document, reference.slice('#/components/schemas/'.length)).safeParse(answer)
      expect(`${path}: ${result.error?.message ?? 'valid'}`).toBe(`${path}: valid`)
      compared++
    }
  }
  expect(compared).toBeGreaterThanOrEqual(10)
})

test('the validators made of the description refuse what it does not promise', async () => {
  const document = await described()
  const run = validatorOf(document, 'RunStarted')
  expect(run.safeParse({ runId: 1, job: 'x' }).success).toBe(true)
  expect(run.safeParse({ runId: 'one', job: 'x' }).success).toBe(false)
  expect(run.safeParse({ runId: 1 }).success).toBe(false)
})

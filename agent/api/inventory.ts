import { z } from 'zod'
import { type FactKey, listArtifacts, listFacts } from '../store/read-inventory.ts'
import { idCursorParameter, limitParameter, nameParameter, pageOf } from './parameters.ts'
import { defineRoute, type Route } from './route.ts'
import { present } from './schemas.ts'

const factKey = () => z.tuple([z.string(), z.string(), z.string()])

/** `cursor` of facts: their identity, which is no number, as base64url of JSON. */
function factCursorParameter() {
  return z
    .string()
    .max(16_384)
    .transform((text, context): FactKey => {
      const key = factKey().safeParse(parseJson(Buffer.from(text, 'base64url').toString('utf8')))
      if (key.success) return key.data
      context.addIssue({ code: 'custom', message: 'wanted `next` of the page before' })
      return z.NEVER
    })
    .optional()
    .describe('`next` of the page before')
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

export const inventoryRoutes: Route[] = [
  defineRoute({
    name: 'listArtifacts',
    method: 'get',
    path: '/v1/artifacts',
    access: 'read',
    summary: 'Files that runs have left on the host, the newest first',
    query: () =>
      z.strictObject({
        job: nameParameter('Only of this job'),
        kind: nameParameter('Only of this kind'),
        limit: limitParameter(),
        cursor: idCursorParameter(),
      }),
    answers: { 200: { means: 'A page of artifacts', schema: 'ArtifactList' } },
    handle({ c, deps, query }) {
      const { limit, cursor, ...filter } = query
      const rows = listArtifacts(deps.store, { ...filter, before: cursor, limit: limit + 1 })
      return c.json(
        present(
          'ArtifactList',
          pageOf(rows, limit, (artifact) => String(artifact.id)),
        ),
      )
    },
  }),
  defineRoute({
    name: 'listFacts',
    method: 'get',
    path: '/v1/facts',
    access: 'read',
    summary: 'Inventory, as the last full look of each job found it',
    query: () =>
      z.strictObject({
        job: nameParameter('Only of this job'),
        kind: nameParameter('Only of this kind'),
        limit: limitParameter(),
        cursor: factCursorParameter(),
      }),
    answers: { 200: { means: 'A page of facts', schema: 'FactList' } },
    handle({ c, deps, query }) {
      const { limit, cursor, ...filter } = query
      const rows = listFacts(deps.store, { ...filter, after: cursor, limit: limit + 1 })
      const cursorOf = ({ job, kind, subject }: (typeof rows)[number]) =>
        Buffer.from(JSON.stringify([job, kind, subject])).toString('base64url')
      return c.json(present('FactList', pageOf(rows, limit, cursorOf)))
    },
  }),
]

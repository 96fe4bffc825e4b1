import { z } from 'zod'
import { listArtifacts, listFacts } from '../store/read-inventory.ts'
import { idCursorParameter, limitParameter, nameParameter, pageOf } from './parameters.ts'
import { defineRoute, type Route } from './route.ts'
import { present } from './schemas.ts'

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
        cursor: idCursorParameter(),
      }),
    answers: { 200: { means: 'A page of facts', schema: 'FactList' } },
    handle({ c, deps, query }) {
      const { limit, cursor, ...filter } = query
      const rows = listFacts(deps.store, { ...filter, after: cursor, limit: limit + 1 })
      return c.json(
        present(
          'FactList',
          pageOf(rows, limit, (fact) => String(fact.row)),
        ),
      )
    },
  }),
]

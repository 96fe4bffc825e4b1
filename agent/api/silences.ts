import { z } from 'zod'
import { parseDuration } from '../lib/duration.ts'
import { concerns } from '../lib/target.ts'
import { findFinding } from '../store/read-findings.ts'
import { activeSilences, addSilence, endSilence, MAX_SILENCE_MS, type NewSilence } from '../store/silences.ts'
import type { ApiContext, ApiDeps, Caller } from './deps.ts'
import { idText, nameParameter } from './parameters.ts'
import { ProblemError } from './problem.ts'
import { defineRoute, type Route } from './route.ts'
import { present } from './schemas.ts'
import { leaveTrail } from './trail.ts'

const forParameter = () =>
  z
    .string()
    .transform((text) => parseDuration(text) ?? 0)
    .refine(
      (milliseconds) => milliseconds > 0 && milliseconds <= MAX_SILENCE_MS,
      'wanted 2h, 3d, at most 90d',
    )
    .meta({ description: 'How long it holds: 2h, 3d, at most 90d', asSent: { type: 'string' } })
const reasonParameter = () => z.string().trim().min(1).max(500).describe('Why; for whoever asks later')
const patternParameter = (means: string) => z.string().min(1).max(1000).default('**').describe(means)
const inPath = () => z.object({ id: idText() })

export const silenceRoutes: Route[] = [
  defineRoute({
    name: 'listSilences',
    method: 'get',
    path: '/v1/silences',
    access: 'read',
    summary: 'What is silenced or acknowledged now, the newest first',
    query: () => z.strictObject({}),
    answers: { 200: { means: 'The silences', schema: 'SilenceList' } },
    handle: ({ c, deps }) =>
      c.json(present('SilenceList', { items: activeSilences(deps.store, deps.now()) })),
  }),
  defineRoute({
    name: 'addSilence',
    method: 'post',
    path: '/v1/silences',
    access: 'operate',
    summary: 'Keep findings from raising alerts for a time; they count as before',
    query: () =>
      z.strictObject({
        for: forParameter(),
        reason: reasonParameter(),
        job: nameParameter('Only findings of this job'),
        rule: patternParameter('Only of this rule; `*` and `**` are wildcards'),
        subject: patternParameter('Only about this subject; `*` does not cross "/", `**` does'),
      }),
    answers: { 201: { means: 'It holds', schema: 'SilenceMade' } },
    handle({ c, deps, query, caller }) {
      const { job = null, rule, subject } = query
      return keep(c, deps, caller, query, { kind: 'silenced', job, rule, subject })
    },
  }),
  defineRoute({
    name: 'acknowledgeFinding',
    method: 'post',
    path: '/v1/findings/{id}/acknowledge',
    access: 'operate',
    summary: 'Say that somebody is on it: no further alerts about this finding until then',
    params: inPath,
    query: () => z.strictObject({ for: forParameter(), reason: reasonParameter() }),
    answers: { 201: { means: 'It holds', schema: 'SilenceMade' } },
    handle({ c, deps, params, query, caller }) {
      const finding = findFinding(deps.store, params.id)
      if (finding?.state !== 'open') throw new ProblemError('not-found', 'There is no such open finding.')
      const { job, rule, subject } = finding
      return keep(c, deps, caller, query, { kind: 'acknowledged', job, rule, subject })
    },
  }),
  defineRoute({
    name: 'endSilence',
    method: 'post',
    path: '/v1/silences/{id}/end',
    access: 'operate',
    summary: 'End a silence before its time; nothing changes when it has ended',
    params: inPath,
    query: () => z.strictObject({}),
    answers: { 204: { means: 'It has ended' } },
    handle({ c, deps, params, caller }) {
      if (!caller) throw new ProblemError('unauthenticated', 'This needs a token.')
      if (!endSilence(deps.store, params.id, deps.now()))
        throw new ProblemError('not-found', 'There is no such silence.')
      const object = String(params.id)
      leaveTrail(deps, c, { actor: caller.actor, action: 'silence.end', object, result: 'ok' })
      return c.body(null, 204)
    },
  }),
]

type Identity = Pick<NewSilence, 'kind' | 'rule' | 'subject'> & { job: string | null }

function keep(
  c: ApiContext,
  deps: ApiDeps,
  caller: Caller | undefined,
  terms: { for: number; reason: string },
  silence: Identity,
): Response {
  if (!caller) throw new ProblemError('unauthenticated', 'This needs a token.')
  const createdAt = deps.now()
  const until = createdAt + terms.for
  const made = addSilence(
    deps.store,
    { ...silence, owner: caller.actor, reason: terms.reason, createdAt, until },
    (finding) => concerns(silence, finding),
  )
  const action = silence.kind === 'silenced' ? 'silence.add' : 'acknowledge.add'
  leaveTrail(deps, c, { actor: caller.actor, action, object: String(made.id), result: 'ok' })
  return c.json(present('SilenceMade', made), 201)
}

import { createHash } from 'node:crypto'
import {
  type CheckContext,
  definePlugin,
  describeError,
  type Finding,
  type Report,
} from '../../agent/contract/mod.ts'
import { attest } from './command-attest.ts'
import { type Config, configSchema } from './config.ts'
import { judgeItem, rules, toFact, toMetrics } from './judge.ts'
import { Forged, type Statement, Statements } from './statements.ts'

export default definePlugin({
  name: 'attestation',
  summary:
    'Keeps what no machine can decide: who looked at what, when, with which evidence, and when it is due again',
  defaults: { schedule: '0 7 * * *', timeout: '5m' },
  rules,
  config: configSchema,
  permissions: () => ({ check: {} }),
  check,
  commands: { attest },
})

async function check(ctx: CheckContext<Config>): Promise<Report> {
  const { config, now } = ctx
  let statements: Statement[]
  try {
    statements = new Statements(ctx.state, ctx.stateDir, ctx.fingerprint).read()
  } catch (error) {
    if (!(error instanceof Forged)) throw error
    return {
      findings: [
        {
          rule: 'attestation-forged',
          subject: 'record',
          severity: 'critical',
          summary: `The record of statements cannot be trusted: ${describeError(error)}`,
          remedy: `Find out who changed ${ctx.stateDir}/statements.jsonl; put it back from a backup, or move it away and attest anew`,
        },
      ],
      blind: [{ subject: 'record', reason: 'what was stated cannot be told' }],
      coverage: { examined: 0, skipped: 0 },
    }
  }
  const lastOf = (name: string) => statements.findLast(({ item }) => item === name)
  return {
    findings: config.items.flatMap((item) => {
      const last = lastOf(item.name)
      return [...judgeItem(item, last, now.getTime(), ctx.job), ...judgeEvidence(ctx, item.name, last)]
    }),
    facts: config.items.map((item) => toFact(item, lastOf(item.name))),
    metrics: config.items.flatMap((item) => toMetrics(item, lastOf(item.name))),
    coverage: { examined: config.items.length, skipped: 0 },
  }
}

/** Whether the copy of the evidence is still the file that was handed in. */
function judgeEvidence(
  { state, stateDir }: CheckContext<Config>,
  name: string,
  last: Statement | undefined,
): Finding[] {
  if (!last?.evidence) return []
  const { sha256, bytes, name: file } = last.evidence
  const path = `${stateDir}/evidence/${sha256}`
  const isThere = state.stat(path)?.type === 'file'
  const digest = isThere
    ? createHash('sha256')
        .update(state.read(path, { maxBytes: bytes + 1 }))
        .digest('hex')
    : undefined
  if (digest === sha256) return []
  return [
    {
      rule: 'attestation-evidence-missing',
      subject: name,
      severity: rules['attestation-evidence-missing'].severity,
      summary: `The evidence of ${name}, ${file}, ${isThere ? 'is not the file that was handed in' : 'is gone'}`,
      remedy: `Put it back to ${path}, or attest anew`,
    },
  ]
}

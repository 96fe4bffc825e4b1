import { type Blind, type CheckContext, definePlugin, type Report } from '../../agent/contract/mod.ts'
import { type Config, configSchema } from './config.ts'
import { findCredentials, readPermissions } from './find.ts'
import { toFact, toMetrics } from './inventory.ts'
import { judgeCredential, judgeModes, judgeReuse } from './judge/credential.ts'
import { emptyLedger, type Ledger, parseLedger, recordSightings } from './ledger.ts'
import { rules } from './rules.ts'
import { timingOf } from './timing.ts'

/** Clocks are corrected by seconds; more than this is a wrong clock, and every age is wrong with it. */
const CLOCK_TOLERANCE_MS = 3_600_000
const MAX_LEDGER_BYTES = 1_000_000

export default definePlugin({
  name: 'credential-age',
  summary: 'Reminds of tokens, keys and certificates that must be rotated, and finds weak and exposed ones',
  defaults: { schedule: '30 6 * * *', timeout: '10m' },
  rules,
  config: configSchema,
  permissions: (config) => ({
    // Secrets are readable by their owners only, and these are many.
    check: { ...readPermissions(config), capabilities: ['CAP_DAC_READ_SEARCH'] },
  }),
  check,
})

async function check(ctx: CheckContext<Config>): Promise<Report> {
  const nowMs = ctx.now.getTime()
  const { ledger: before, blind: ledgerBlind } = openLedger(ctx, nowMs)
  const found = await findCredentials(ctx, (fingerprint) => Object.hasOwn(before.values, fingerprint))
  const seen = found.credentials.flatMap(({ subject, fingerprint, mtimeMs }) =>
    fingerprint === undefined ? [] : [{ subject, fingerprint, mtimeMs }],
  )
  const { ledger, sightings } = recordSightings(before, seen, nowMs)
  if (Buffer.byteLength(JSON.stringify(ledger)) > MAX_LEDGER_BYTES) {
    throw new Error(
      `Cannot keep the ledger of "${ctx.job}": it has too many credentials; split the job in two`,
    )
  }
  const judged = found.credentials.map((credential) => {
    const sighting = sightings.get(credential.subject)
    return { credential, sighting, timing: timingOf(credential, sighting, ctx.config, nowMs) }
  })
  const unknown = found.credentials.filter(({ algorithm }) => algorithm === 'unknown')
  return {
    findings: [
      ...found.findings,
      ...judged.flatMap(({ credential, timing }) => judgeCredential(credential, timing, ctx.config, nowMs)),
      ...judgeModes(found.credentials),
      ...judgeReuse(found.credentials),
    ],
    blind: [
      ...ledgerBlind,
      ...found.blind,
      ...unknown.map(({ subject }) => ({ subject, reason: 'the strength of its kind of key is not known' })),
    ],
    facts: judged.map(({ credential, timing, sighting }) => toFact(credential, timing, sighting)),
    metrics: judged.flatMap(({ credential, timing }) =>
      credential.superseded ? [] : toMetrics(credential, timing),
    ),
    coverage: { examined: found.credentials.length, skipped: found.skipped },
    memory: ledger,
  }
}

/** The ledger of the last run. Where it or the clock cannot be trusted, ages may be too small: that is blind. */
function openLedger(ctx: CheckContext<Config>, nowMs: number): { ledger: Ledger; blind: Blind[] } {
  const fresh = emptyLedger(nowMs)
  if (ctx.memory === undefined) return { ledger: fresh, blind: [] }
  const ledger = parseLedger(ctx.memory)
  if (!ledger) {
    const reason = 'it cannot be read; ages are counted from the times of files again'
    return { ledger: fresh, blind: [{ subject: 'ledger', reason }] }
  }
  if (nowMs >= ledger.lastRunAtMs - CLOCK_TOLERANCE_MS) return { ledger, blind: [] }
  const last = new Date(ledger.lastRunAtMs).toISOString()
  const reason = `it is earlier than at the last run (${last}): no age can be trusted; see timedatectl status`
  return { ledger, blind: [{ subject: 'clock', reason }] }
}

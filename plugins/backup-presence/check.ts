import type { CheckContext, Report } from '../../agent/contract/mod.ts'
import { checkContents } from './check-contents.ts'
import { checkLeftovers } from './check-leftovers.ts'
import { checkOffsite } from './check-offsite.ts'
import type { BackupConfig, Config } from './config.ts'
import { judgeFormat, judgeMode, judgePresence, judgeRestoreTest, judgeSize } from './judge.ts'
import { formatOf, found, memorySchema, type Work } from './work.ts'

/** Of each backup, the newest. */
const MAX_FILES = 200
/** What was written to a moment ago may not be whole. */
const SETTLE_MS = 60_000

export async function checkBackups(ctx: CheckContext<Config>): Promise<Report> {
  const known = memorySchema.safeParse(ctx.memory)
  const work: Work = {
    ctx,
    before: known.success ? known.data : { digests: {}, contents: {} },
    after: { digests: {}, contents: {} },
    findings: [],
    blind: [],
    facts: [],
    metrics: [],
    examined: 0,
  }
  for (const backup of ctx.config.backups) {
    ctx.signal.throwIfAborted()
    await checkBackup(work, backup)
  }
  checkLeftovers(work)
  const { findings, blind, facts, metrics, examined } = work
  return {
    findings,
    blind,
    facts,
    metrics,
    inapplicable: notAsked(ctx.config),
    coverage: { examined, skipped: 0 },
    memory: work.after,
  }
}

function notAsked({ backups, plaintext }: Config): { rule: string; reason: string }[] {
  const without = (rules: string[], isAsked: boolean, reason: string) =>
    isAsked ? [] : rules.map((rule) => ({ rule, reason }))
  return [
    ...without(
      ['offsite-missing', 'offsite-old', 'offsite-differs', 'offsite-same-disk'],
      backups.some(({ offsite }) => offsite),
      'no copies elsewhere are named',
    ),
    ...without(
      ['restore-not-tested'],
      backups.some(({ restoreTest }) => restoreTest),
      'no restore test is named',
    ),
    ...without(
      ['backup-incomplete'],
      backups.some(({ holds }) => holds.length > 0),
      'nothing is named that must be in a backup',
    ),
    ...without(['plaintext-left'], plaintext.directories.length > 0, 'no directory is named'),
  ]
}

async function checkBackup(work: Work, backup: BackupConfig): Promise<void> {
  const { ctx, findings, blind } = work
  const { host } = ctx
  const nowMs = ctx.now.getTime()
  const { name } = backup
  const files = found(work, backup.files, PRESENCE_RULES)
  if (!files) return
  work.examined += files.length
  const settled = files.filter(({ mtimeMs }) => nowMs - mtimeMs >= SETTLE_MS)
  const newest = settled[0] ?? files[0]
  if (newest && newest.mtimeMs > nowMs + SETTLE_MS) {
    blind.push({
      subject: newest.path,
      reason: 'it is dated in the future: how old it is nobody can tell',
      rules: ['backup-old'],
    })
  }
  findings.push(...judgePresence(backup, newest ? [newest] : [], nowMs))
  findings.push(...judgeSize(backup, settled.length > 0 ? settled : files))
  for (const file of files.slice(0, MAX_FILES)) {
    findings.push(...judgeMode(backup, file))
    const format = formatOf(
      work,
      file,
      backup.encrypted ? ['backup-not-encrypted', 'weak-backup-cipher'] : [],
    )
    if (!format) continue
    findings.push(...judgeFormat(backup, file, format))
    if (file === newest) await checkContents(work, backup, file, format)
  }
  if (files.length > MAX_FILES) {
    const reason = `only the ${MAX_FILES} newest of ${files.length} are looked into`
    blind.push({
      subject: backup.files,
      reason,
      rules: ['backup-not-encrypted', 'backup-open', 'weak-backup-cipher'],
    })
  }
  if (backup.offsite) await checkOffsite(work, backup, newest)
  if (backup.restoreTest) {
    findings.push(...judgeRestoreTest(backup, host.statTarget(backup.restoreTest.file)?.mtimeMs, nowMs))
  }
  if (!newest) return
  const maker = ctx.actions?.find(({ subjects }) => subjects.includes(newest.path))?.job
  work.facts.push({
    kind: 'found-backup',
    subject: name,
    data: {
      path: newest.path,
      bytes: newest.bytes,
      made: new Date(newest.mtimeMs).toISOString(),
      files: files.length,
      job: maker ?? null,
    },
  })
  const labels = { backup: name }
  work.metrics.push(
    {
      name: 'found_backup_age_seconds',
      value: Math.max(0, nowMs - newest.mtimeMs) / 1000,
      labels,
      help: 'Age of the newest file of a backup',
    },
    {
      name: 'found_backup_size_bytes',
      value: newest.bytes,
      labels,
      help: 'Size of the newest file of a backup',
    },
  )
}

const PRESENCE_RULES = [
  'backup-missing',
  'backup-old',
  'backup-size-odd',
  'backup-not-encrypted',
  'weak-backup-cipher',
  'backup-open',
  'secret-in-backup',
  'backup-incomplete',
]

import { type Finding, formatBytes, formatDuration, shellWord } from '../../agent/contract/mod.ts'
import type { BackupConfig } from './config.ts'
import type { Format } from './format.ts'

const HOUR_MS = 3_600_000
const MINUTE_MS = 60_000

/** A file of a backup. */
export interface BackupFile {
  path: string
  bytes: number
  mtimeMs: number
  mode: number
  /** Device number of its file system. */
  device: number
}

const REFERENCES = ['NIST-CSF-PR.IP-4']
const AT_REST = ['NIST-CSF-PR.DS-1', 'CWE-311']

/** Whole hours, or minutes where it is less than two hours: the same text for a while. */
function since(ageMs: number): string {
  const unit = ageMs < 2 * HOUR_MS ? MINUTE_MS : HOUR_MS
  return formatDuration(Math.max(unit, Math.floor(ageMs / unit) * unit))
}

/** Pure: whether there is a backup, and a new one. `files` are the newest first. */
export function judgePresence(backup: BackupConfig, files: readonly BackupFile[], nowMs: number): Finding[] {
  const [newest] = files
  const remedy = `Make one now, and find out why none was made: journalctl, the crontab or the timer that makes ${backup.name}`
  if (!newest) {
    return [
      {
        rule: 'backup-missing',
        subject: backup.name,
        severity: 'critical',
        summary: `There is no backup of ${backup.name}: nothing matches ${backup.files}`,
        remedy,
        references: REFERENCES,
      },
    ]
  }
  const ageMs = nowMs - newest.mtimeMs
  if (ageMs <= backup.maxAge) return []
  return [
    {
      rule: 'backup-old',
      subject: backup.name,
      severity: 'critical',
      summary: `The newest backup of ${backup.name} is ${since(ageMs)} old, wanted at most ${formatDuration(backup.maxAge)} (${newest.path})`,
      remedy,
      evidence: { path: newest.path, made: new Date(newest.mtimeMs).toISOString() },
      references: REFERENCES,
    },
  ]
}

/** Pure: whether the newest is about as large as those before it. */
export function judgeSize({ name, sizeBand }: BackupConfig, files: readonly BackupFile[]): Finding[] {
  const [newest, ...before] = files
  if (!newest) return []
  const report = (summary: string, usual: number | null): Finding => ({
    rule: 'backup-size-odd',
    subject: name,
    severity: newest.bytes === 0 ? 'critical' : 'warning',
    summary,
    remedy: `Look what is in it, and at what was said when it was made: ls -l ${shellWord(newest.path)}`,
    evidence: { path: newest.path, bytes: newest.bytes, usual },
    references: REFERENCES,
  })
  if (newest.bytes === 0) return [report(`The newest backup of ${name} is empty (${newest.path})`, null)]
  const sizes = before
    .slice(0, 7)
    .map(({ bytes }) => bytes)
    .toSorted((a, b) => a - b)
  const usual = sizes[Math.floor(sizes.length / 2)]
  if (sizeBand === null || usual === undefined || usual === 0) return []
  const difference = ((newest.bytes - usual) / usual) * 100
  if (Math.abs(difference) <= sizeBand) return []
  const direction = difference < 0 ? 'smaller' : 'larger'
  return [
    report(
      `The newest backup of ${name} is ${Math.abs(Math.round(difference))} % ${direction} than usual: ${formatBytes(newest.bytes)} instead of ${formatBytes(usual)}`,
      usual,
    ),
  ]
}

/** Pure: whether a file is encrypted, and well; `undefined` for one that nobody can tell of. */
export function judgeFormat(
  { name, encrypted }: Pick<BackupConfig, 'name' | 'encrypted'>,
  { path }: BackupFile,
  format: Format,
): Finding[] {
  if (format.kind === 'encrypted' && format.weakness) {
    return [
      {
        rule: 'weak-backup-cipher',
        subject: path,
        severity: 'warning',
        summary: `A backup of ${name} is encrypted by ${format.by}${format.cipher ? ` with ${format.cipher}` : ''}: ${format.weakness}`,
        remedy: `Encrypt it anew: gpg --batch --symmetric --cipher-algo AES256 --passphrase-file FILE --pinentry-mode loopback, or age -p; and remove this one`,
        evidence: { path, cipher: format.cipher ?? null, by: format.by },
        references: ['CWE-327', 'OWASP-A02:2021'],
      },
    ]
  }
  if (!encrypted || format.kind !== 'plain') return []
  const claims = /\.(gpg|pgp|asc|age|enc)$/.exec(path)?.[1]
  return [
    {
      rule: 'backup-not-encrypted',
      subject: path,
      severity: 'critical',
      summary: `A backup of ${name} is not encrypted${claims ? `, though it is called .${claims}` : ''}: it is ${format.what} (${path})`,
      remedy: `umask 077; gpg --batch --encrypt --recipient KEY --output ${shellWord(`${claims ? path.slice(0, -claims.length - 1) : path}.new.gpg`)} ${shellWord(path)} && shred -u ${shellWord(path)}\nHave it encrypted as it is made`,
      evidence: { path, format: format.what },
      references: AT_REST,
    },
  ]
}

/** Pure: who else can read a file. */
export function judgeMode(
  { name, mode: wanted }: Pick<BackupConfig, 'name' | 'mode'>,
  { path, mode }: BackupFile,
): Finding[] {
  const excess = mode & ~wanted & 0o777
  if (excess === 0) return []
  const octal = (bits: number) => bits.toString(8).padStart(4, '0')
  return [
    {
      rule: 'backup-open',
      subject: path,
      severity: (excess & 0o006) !== 0 ? 'critical' : 'warning',
      summary: `A backup of ${name} has mode ${octal(mode)}, wanted at most ${octal(wanted)} (${path})`,
      remedy: `chmod ${octal(mode & wanted)} ${shellWord(path)}\nGive what makes it a umask of 077`,
      evidence: { path, mode: octal(mode) },
      references: ['CWE-732'],
    },
  ]
}

/** Pure: something readable that lies with the backups. */
export function judgeLeftover(
  { path, bytes, mtimeMs }: BackupFile,
  format: Format,
  olderThanMs: number,
  nowMs: number,
): Finding[] {
  const ageMs = nowMs - mtimeMs
  if (format.kind !== 'plain' || ageMs <= olderThanMs) return []
  return [
    {
      rule: 'plaintext-left',
      subject: path,
      severity: 'critical',
      summary: `${path} has lain unencrypted with the backups for ${since(ageMs)} (${format.what}, ${formatBytes(bytes)})`,
      remedy: `shred -u ${shellWord(path)}\nSee first that its encrypted form is there; better write none, and pipe it to gpg --encrypt`,
      evidence: { path, bytes, format: format.what },
      references: AT_REST,
    },
  ]
}

/** How the newest copy elsewhere compares with the newest backup. */
export interface Offsite {
  /** The newest first. */
  copies: readonly BackupFile[]
  /** The copy that has the name of the newest backup. */
  same: BackupFile | undefined
  /** Whether their contents are the same; undefined: they were not compared. */
  isSame: boolean | undefined
}

/** Pure. */
export function judgeOffsite(
  backup: BackupConfig,
  newest: BackupFile | undefined,
  { copies, same, isSame }: Offsite,
  nowMs: number,
): Finding[] {
  const { name, offsite } = backup
  if (!offsite) return []
  const report = (
    rule: string,
    severity: Finding['severity'],
    summary: string,
    path: string | null,
  ): Finding => ({
    rule,
    subject: name,
    severity,
    summary,
    remedy:
      rule === 'offsite-same-disk'
        ? `Copy it to another disk or machine, and name that in \`offsite\``
        : newest
          ? `Copy it anew, and find out why it was not copied: cp -p ${shellWord(newest.path)} ${shellWord(offsite.files.slice(0, offsite.files.lastIndexOf('/')))}`
          : `Make a backup of ${name} first`,
    evidence: { path, newest: newest?.path ?? null },
    references: REFERENCES,
  })
  const [latest] = copies
  if (!latest) {
    return [
      report(
        'offsite-missing',
        'critical',
        `There is no copy of ${name} elsewhere: nothing matches ${offsite.files}`,
        null,
      ),
    ]
  }
  const findings: Finding[] = []
  if (newest && latest.device === newest.device) {
    findings.push(
      report(
        'offsite-same-disk',
        'warning',
        `The copies of ${name} lie on the same file system as the backups (${latest.path})`,
        latest.path,
      ),
    )
  }
  const ageMs = nowMs - latest.mtimeMs
  if (ageMs > offsite.maxAge) {
    findings.push(
      report(
        'offsite-old',
        'critical',
        `The newest copy of ${name} elsewhere is ${since(ageMs)} old, wanted at most ${formatDuration(offsite.maxAge)} (${latest.path})`,
        latest.path,
      ),
    )
  }
  if (same && newest && (same.bytes !== newest.bytes || isSame === false)) {
    const what =
      same.bytes === newest.bytes
        ? 'other content'
        : `${formatBytes(same.bytes)} instead of ${formatBytes(newest.bytes)}`
    findings.push(
      report(
        'offsite-differs',
        'critical',
        `The copy of ${name} elsewhere is not what was made: ${what} (${same.path})`,
        same.path,
      ),
    )
  }
  return findings
}

/** Pure: secrets that anybody finds who gets the archive. */
export function judgeSecrets(name: string, path: string, secrets: readonly string[]): Finding[] {
  if (secrets.length === 0) return []
  const few = secrets.slice(0, 5).join(', ')
  return [
    {
      rule: 'secret-in-backup',
      subject: path,
      severity: 'critical',
      summary: `A backup of ${name} that is not encrypted holds secrets: ${few.slice(0, 500)}${secrets.length > 5 ? ` and ${secrets.length - 5} more` : ''}`,
      remedy: `Encrypt it, or leave them out (tar --exclude); remove this one: shred -u ${shellWord(path)}; rotate what was in it`,
      evidence: { path, count: secrets.length, first: (secrets[0] ?? '').slice(0, 500) },
      references: ['CWE-312', ...AT_REST],
    },
  ]
}

/** Pure: whether all is in it that must be: names, or directories with a slash at the end. */
export function missingParts(holds: readonly string[], names: Iterable<string>): string[] {
  const missing = new Set(holds)
  for (const name of names) {
    if (missing.size === 0) break
    for (const part of missing) if (isPart(part, name)) missing.delete(part)
  }
  return [...missing]
}

/** "wal/" is in "./rstmdb/wal/0001.wal", "index.json" in "snapshots/index.json". */
export function isPart(part: string, name: string): boolean {
  const path = `/${name.replace(/^(\.?\/)+/, '')}`
  return part.endsWith('/') ? `${path}/`.includes(`/${part}`) : path.endsWith(`/${part}`)
}

export function judgeParts(name: string, path: string, missing: readonly string[]): Finding[] {
  if (missing.length === 0) return []
  return [
    {
      rule: 'backup-incomplete',
      subject: name,
      severity: 'critical',
      summary: `The newest backup of ${name} lacks ${missing.join(' and ')} (${path})`,
      remedy: `Take ${missing.join(' and ')} into what makes the backup, and make one now`,
      evidence: { path, missing: missing.join(' ').slice(0, 1000) },
      references: REFERENCES,
    },
  ]
}

/** Pure. `testedMs` is undefined where it never was. */
export function judgeRestoreTest(
  { name, restoreTest }: BackupConfig,
  testedMs: number | undefined,
  nowMs: number,
): Finding[] {
  if (!restoreTest) return []
  const { file, maxAge } = restoreTest
  if (testedMs !== undefined && nowMs - testedMs <= maxAge) return []
  return [
    {
      rule: 'restore-not-tested',
      subject: name,
      severity: 'warning',
      summary:
        testedMs === undefined
          ? `Nobody has tested that ${name} can be restored: there is no ${file}`
          : `That ${name} can be restored was last tested ${since(nowMs - testedMs)} ago, wanted at least every ${formatDuration(maxAge)}`,
      remedy: `Restore it to an empty directory, start from that, compare; then: touch ${shellWord(file)}`,
      evidence: { path: file },
      references: REFERENCES,
    },
  ]
}

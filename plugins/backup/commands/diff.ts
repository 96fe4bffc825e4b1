import {
  type Command,
  type CommandContext,
  type CommandResult,
  printablePath,
  UserError,
} from '../../../agent/contract/mod.ts'
import type { BackupConfig } from '../config.ts'
import { fromPaths } from '../destination/from.ts'
import { joinPermissions } from '../destination/open.ts'
import { type ContentEntry, readContents } from '../restore/contents.ts'
import { textOption } from './arguments.ts'
import { choose, type Located, locateOptions, locatePermissions, withBackups } from './locate.ts'
import { openChosen } from './open.ts'
import { LISTED_ENTRIES } from './print.ts'
import { signerOptions, signerPaths } from './signer.ts'
import { secretsOf, unlockOptions } from './unlock.ts'

export const diff: Command<BackupConfig> = {
  summary: 'Show what was added, changed and removed between two backups',
  usage: '[--job NAME | --from DIR|URL] [--key FILE] [--passphrase REF] OLDER [NEWER]',
  options: { ...locateOptions, ...unlockOptions, ...signerOptions },
  job: 'optional',
  paths: [...fromPaths, 'key', 'signer'],
  permissions: (config, args) =>
    joinPermissions([
      locatePermissions(config, args),
      {
        read: [textOption(args, 'key') ?? [], signerPaths(args)].flat(),
        secrets: secretsOf(config, args),
        capabilities: ['CAP_DAC_READ_SEARCH'],
      },
    ]),
  run: (ctx) => withBackups(ctx, (located) => diffTwo(ctx, located)),
}

async function diffTwo(ctx: CommandContext<BackupConfig>, located: Located): Promise<CommandResult> {
  const [older, newer, ...others] = ctx.args.positionals
  if (older === undefined || others.length > 0) {
    throw new UserError('Cannot compare: name one or two backups, as "reeve backup list" shows them')
  }
  const contentsOf = async (name: string | undefined) => {
    const opened = await openChosen(ctx, located, choose(located, name))
    return { name: opened.name, entries: await readContents(opened.layers, opened.unlock, () => true) }
  }
  const [a, b] = [await contentsOf(older), await contentsOf(newer)]
  const changes = compareContents(a.entries, b.entries)
  const lines = changes
    .slice(0, LISTED_ENTRIES)
    .map(
      ({ kind, name, what }) => `${LETTERS[kind]}  ${printablePath(name)}${what === '' ? '' : `  (${what})`}`,
    )
  if (changes.length > lines.length) lines.push(`… ${changes.length - lines.length} more`)
  lines.push(`${changes.length} differences from "${a.name}" to "${b.name}"`)
  return {
    exitCode: 0,
    text: lines.join('\n'),
    json: {
      from: a.name,
      to: b.name,
      differences: changes.length,
      changes: changes.slice(0, LISTED_ENTRIES).map((change) => ({ ...change })),
    },
  }
}

const LETTERS = { added: 'A', changed: 'M', removed: 'D' } as const

interface Change {
  kind: keyof typeof LETTERS
  name: string
  /** What of it has changed. */
  what: string
}

/** In the order of names. */
export function compareContents(
  before: ReadonlyMap<string, ContentEntry>,
  after: ReadonlyMap<string, ContentEntry>,
): Change[] {
  const changes: Change[] = []
  for (const name of before.keys()) if (!after.has(name)) changes.push({ kind: 'removed', name, what: '' })
  for (const [name, now] of after) {
    const old = before.get(name)
    if (!old) {
      changes.push({ kind: 'added', name, what: '' })
      continue
    }
    const what = differences(old, now)
    if (what.length > 0) changes.push({ kind: 'changed', name, what: what.join(', ') })
  }
  return changes.sort((a, b) => (a.name < b.name ? -1 : 1))
}

function differences(old: ContentEntry, now: ContentEntry): string[] {
  if (old.type !== now.type && !(isContent(old) && isContent(now)))
    return [`was a ${old.type}, is a ${now.type}`]
  const what: string[] = []
  if (old.sha256 !== undefined && now.sha256 !== undefined && old.sha256 !== now.sha256) what.push('content')
  if (old.mode !== now.mode) what.push('mode')
  if (old.uid !== now.uid || old.gid !== now.gid) what.push('owner')
  if (old.type === 'symlink' && old.linkName !== now.linkName) what.push('target')
  if (what.length === 0 && old.mtimeNs !== now.mtimeNs && now.type !== 'directory') what.push('time')
  return what
}

/** Which of several names of a file has its content in the archive is of no meaning. */
function isContent({ type }: ContentEntry): boolean {
  return type === 'file' || type === 'hard-link'
}

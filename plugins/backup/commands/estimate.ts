import {
  type Command,
  type CommandContext,
  type CommandResult,
  formatBytes,
  type HostReader,
  printablePath,
} from '../../../agent/contract/mod.ts'
import { ArchiveLog } from '../archive/writer.ts'
import type { BackupConfig } from '../config.ts'
import { collectChanges } from '../incremental/changes.ts'
import { IndexStore } from '../incremental/index-store.ts'
import { Places } from '../places.ts'
import { makeWay } from '../priority.ts'
import { type BackupRecord, Records } from '../records.ts'
import { type SourceOptions, walkSources } from '../source/members.ts'

const LARGEST = 10

export const estimate: Command<BackupConfig> = {
  summary: 'Say what the next run would back up, and about how much of it there is; nothing is written',
  usage: '--job NAME',
  options: {},
  job: 'required',
  permissions: (config) => ({
    read: config?.sources.paths ?? [],
    capabilities: ['CAP_DAC_READ_SEARCH'],
  }),
  run,
}

interface Amount {
  entries: number
  bytes: number
}

async function run(ctx: CommandContext<BackupConfig>): Promise<CommandResult> {
  const { config, host } = ctx
  if (!config) throw new Error('Cannot estimate without a job')
  makeWay(ctx)
  const neverInclude = [...Places.directoriesOf(config, ctx.stateDir), ctx.stateDir]
  const options: SourceOptions = { ...config.sources, neverInclude, signal: ctx.signal }
  const log = new ArchiveLog()
  const skipped = { count: 0 }
  const { all, largest } = await measureAll(ctx, host, options, log, skipped)
  const changes = config.incremental && (await measureChanges(ctx, host, options))
  const ratio = compressionOf(Records.load(ctx.state, ctx.stateDir).all)
  const describe = ({ entries, bytes }: Amount) =>
    `${entries} entries, ${formatBytes(bytes)}${ratio === undefined ? '' : `, about ${formatBytes(bytes * ratio)} stored`}`
  const lines = [`A full backup: ${describe(all)}`]
  if (changes) lines.push(`The changes since the last one: ${describe(changes)}`)
  if (skipped.count > 0) lines.push(`${skipped.count} entries are left out on purpose`)
  const problems = log.close().problems
  for (const { path, reason } of problems.first)
    lines.push(`cannot be read: ${printablePath(path)}: ${reason}`)
  if (problems.count > problems.first.length) lines.push(`${problems.count} entries cannot be read in all`)
  if (largest.length > 0) {
    lines.push('The largest files:')
    for (const { path, bytes } of largest)
      lines.push(`  ${formatBytes(bytes).padStart(9)}  ${printablePath(path)}`)
  }
  return {
    exitCode: problems.count > 0 ? 4 : 0,
    text: lines.join('\n'),
    json: {
      full: { ...all },
      changes: changes ? { ...changes } : null,
      storedRatio: ratio ?? null,
      skipped: skipped.count,
      unreadable: problems.count,
      largest: largest.map((file) => ({ ...file })),
    },
  }
}

async function measureAll(
  ctx: CommandContext<BackupConfig>,
  host: HostReader,
  options: SourceOptions,
  log: ArchiveLog,
  skipped: { count: number },
) {
  const all: Amount = { entries: 0, bytes: 0 }
  let largest: { path: string; bytes: number }[] = []
  const seen = new Set<string>()
  for await (const batch of walkSources(host, options, log, skipped)) {
    for (const { path, type, size, nlink, dev, ino } of batch) {
      all.entries++
      if (type !== 'file') continue
      // Of several names of a file, one has the content.
      const identity = `${dev}:${ino}`
      if (nlink > 1 && seen.has(identity)) continue
      if (nlink > 1) seen.add(identity)
      all.bytes += size
      largest.push({ path, bytes: size })
    }
    largest = largest.sort((a, b) => b.bytes - a.bytes).slice(0, LARGEST)
    ctx.progress(all.entries, 0, 'entries')
  }
  return { all, largest }
}

/** What was added or changed since the last backup; undefined where there is no index of one. */
async function measureChanges(
  ctx: CommandContext<BackupConfig>,
  host: HostReader,
  options: SourceOptions,
): Promise<Amount | undefined> {
  const index = await new IndexStore(ctx.state, ctx.stateDir).open()
  if (!index) return undefined
  const changes: Amount = { entries: 0, bytes: 0 }
  const members = collectChanges(host, options, new ArchiveLog(), { count: 0 }, index.entries, () => {})
  for await (const [member] of members) {
    changes.entries++
    if ('removed' in member) continue
    changes.bytes += member.entry.size
    member.source?.close()
  }
  return changes
}

/** Bytes stored for each byte of content, by the last backup that had some. */
function compressionOf(records: readonly BackupRecord[]): number | undefined {
  const last = records.findLast(({ stored, summary }) => stored !== null && (summary?.contentBytes ?? 0) > 0)
  return last?.stored && last.summary ? last.stored.bytes / last.summary.contentBytes : undefined
}

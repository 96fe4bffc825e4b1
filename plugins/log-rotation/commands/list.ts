import {
  type Command,
  type CommandContext,
  type CommandResult,
  formatBytes,
  formatDuration,
  type Json,
  printablePath,
} from '../../../agent/contract/mod.ts'
import type { Config } from '../config.ts'
import { permissions } from '../permissions.ts'
import { findRecord, type GenerationRecord } from '../records/records.ts'
import { lastProof, type ManagedLog, managedLogs } from './managed.ts'

export const list: Command<Config> = {
  summary: 'Every log that is rotated: size, growth, generations, next rotation, last proof',
  usage: '[--job NAME] [PATH…]',
  options: {},
  job: 'required',
  paths: ['positionals'],
  permissions: (config) => (config ? permissions(config).check : {}),
  run,
}

async function run(ctx: CommandContext<Config>): Promise<CommandResult> {
  const { logs, blind } = await managedLogs(ctx)
  const now = ctx.now.getTime()
  const isOne = ctx.args.positionals.length > 0 && logs.length === 1
  const lines = table(
    ['LOG', 'SIZE', 'PER DAY', 'KEPT', 'NEXT ROTATION', 'LAST PROOF'],
    logs.map((log) => cellsOf(log, now)),
  )
  const details = isOne ? logs.flatMap((log) => ['', ...generationLines(log)]) : []
  const unseen = blind.map(({ subject, reason }) => `could not look at ${printablePath(subject)}: ${reason}`)
  const text = logs.length === 0 ? 'No log is rotated by this job' : [...lines, ...details].join('\n')
  return {
    exitCode: blind.length > 0 ? 4 : 0,
    text: [text, ...unseen].join('\n'),
    json: {
      logs: logs.map(jsonOf),
      blind: blind.map(({ subject, reason }) => ({ subject, reason })),
    },
  }
}

function cellsOf(log: ManagedLog, now: number): string[] {
  const kept = log.generations.reduce((sum, { size }) => sum + size, 0)
  const proof = lastProof(log)
  return [
    printablePath(log.path),
    log.stat ? formatBytes(log.stat.size) : 'gone',
    log.bytesPerDay === undefined ? '?' : formatBytes(log.bytesPerDay),
    log.generations.length === 0 ? '0' : `${log.generations.length} (${formatBytes(kept)})`,
    nextText(log, now),
    proof ? `${formatDuration(Math.max(0, now - proof.rotatedMs))} ago` : 'none',
  ]
}

function nextText({ next: { atMs, because } }: ManagedLog, now: number): string {
  if (atMs === undefined) return because
  return atMs <= now ? 'now' : `in ${formatDuration(atMs - now)} (${because})`
}

function generationLines(log: ManagedLog): string[] {
  const rows = log.generations
    .toSorted((a, b) => b.mtimeMs - a.mtimeMs)
    .map((file) => {
      const record = findRecord(log.records, file)
      return [
        printablePath(file.path),
        formatBytes(file.size),
        record ? formatBytes(record.bytesIn) : '?',
        new Date(record?.rotatedMs ?? file.mtimeMs).toISOString(),
        record ? record.contentSha256 : 'not recorded',
        writerText(record),
      ]
    })
  return table(['ROTATED LOG', 'SIZE', 'CONTENT', 'ROTATED', 'SHA-256 OF THE CONTENT', 'WRITER'], rows)
}

/** Who wrote to it when it was rotated, and whether they have let go. */
function writerText(record: GenerationRecord | undefined): string {
  if (!record) return '?'
  const state = record.reopened === null ? '?' : record.reopened ? 'reopened' : 'still open'
  return record.writers ? `${record.writers} (${state})` : state
}

function jsonOf(log: ManagedLog): Json {
  return {
    log: log.path,
    set: log.set,
    by: log.by,
    bytes: log.stat?.size ?? null,
    bytesPerDay: log.bytesPerDay ?? null,
    lastRotationAt: isoTime(log.rotatedMs),
    next: { at: isoTime(log.next.atMs), because: log.next.because },
    generations: log.generations.map((file) => {
      const record = findRecord(log.records, file)
      return {
        path: file.path,
        bytes: file.size,
        proof: record
          ? {
              rotatedAt: isoTime(record.rotatedMs),
              bytesIn: record.bytesIn,
              bytesArchived: record.bytesArchived,
              contentSha256: record.contentSha256,
              fileSha256: record.fileSha256,
              compression: record.compression,
              reopened: record.reopened,
              writers: record.writers,
            }
          : null,
      }
    }),
  }
}

function isoTime(timeMs: number | undefined): string | null {
  return timeMs === undefined ? null : new Date(timeMs).toISOString()
}

/** Columns as wide as their widest cell. */
export function table(head: string[], rows: string[][]): string[] {
  const widths = head.map((title, column) =>
    Math.max(title.length, ...rows.map((row) => row[column]?.length ?? 0)),
  )
  return [head, ...rows].map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  )
}

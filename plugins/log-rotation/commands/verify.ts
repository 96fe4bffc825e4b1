import {
  type Command,
  type CommandContext,
  type CommandResult,
  describeError,
  printablePath,
} from '../../../agent/contract/mod.ts'
import { digestOfFile } from '../codec.ts'
import { type Config, directoryOf } from '../config.ts'
import { permissions } from '../permissions.ts'
import { isOutlived, type KeptFile } from '../records/judge.ts'
import { findRecord, type GenerationRecord } from '../records/records.ts'
import { type ManagedLog, managedLogs } from './managed.ts'

export const verify: Command<Config> = {
  summary: 'Read rotated logs again: that not one byte has changed since they were proven',
  usage: '[--job NAME] [PATH…]',
  options: {},
  job: 'required',
  paths: ['positionals'],
  permissions: (config) => {
    if (!config) return {}
    const { check } = permissions(config)
    const directories = [
      ...config.sets.flatMap(({ paths }) => paths.map(directoryOf)),
      ...(config.logrotate.length > 0 ? config.logrotateDirectories : []),
    ]
    return { ...check, read: [...new Set([...(check.read ?? []), ...directories])] }
  },
  run,
}

type State = 'whole' | 'changed' | 'missing' | 'not recorded' | 'unreadable'

interface Verdict {
  path: string
  log: string
  state: State
  /** For people. */
  result: string
}

async function run(ctx: CommandContext<Config>): Promise<CommandResult> {
  const { logs, blind } = await managedLogs(ctx)
  const wanted = new Set(ctx.args.positionals)
  const verdicts: Verdict[] = []
  for (const [index, log] of logs.entries()) {
    ctx.progress(index, logs.length, log.path)
    // A rotated log that is named is looked at alone.
    const named = log.generations.filter(({ path }) => wanted.has(path))
    const files = named.length > 0 ? named : log.generations
    for (const file of files) {
      ctx.signal.throwIfAborted()
      verdicts.push(judge(ctx, log, file))
    }
    if (named.length === 0) verdicts.push(...missing(log))
  }
  const count = (state: State) => verdicts.filter((verdict) => verdict.state === state).length
  const bad = count('changed') + count('missing')
  const unseen = count('unreadable') + blind.length
  const lines = verdicts.map(({ path, state, result }) => {
    const mark = state === 'whole' ? 'ok ' : state === 'not recorded' ? '?  ' : 'BAD'
    return `${mark}  ${printablePath(path)}  ${result}`
  })
  const summary =
    `${count('whole')} of ${verdicts.length} rotated logs are as they were proven, ${bad} are not` +
    (count('not recorded') > 0 ? `, ${count('not recorded')} were never recorded here` : '')
  return {
    // What could not be looked at, and a look at nothing, are no good answers.
    exitCode: bad > 0 ? 3 : unseen > 0 || count('whole') === 0 ? 4 : 0,
    text: [
      ...lines,
      ...blind.map(
        ({ subject, reason }) => `BAD  ${printablePath(subject)}  could not be looked at: ${reason}`,
      ),
      summary,
    ].join('\n'),
    json: { generations: verdicts.map((verdict) => ({ ...verdict })), bad, unseen, whole: count('whole') },
  }
}

function judge(ctx: CommandContext<Config>, log: ManagedLog, file: KeptFile): Verdict {
  const about = { path: file.path, log: log.path }
  const record = findRecord(log.records, file)
  if (!record)
    return {
      ...about,
      state: 'not recorded',
      result: 'it was rotated before reeve kept records, or by another',
    }
  try {
    const source = ctx.host.open(file.path)
    try {
      const { bytes, sha256 } = digestOfFile(source, ctx.signal)
      if (sha256 === record.fileSha256) return { ...about, state: 'whole', result: `SHA-256 ${sha256}` }
      const result =
        bytes === record.fileBytes
          ? `its content differs: SHA-256 ${sha256}, proven was ${record.fileSha256}`
          : `it has ${bytes} bytes, proven were ${record.fileBytes}`
      return { ...about, state: 'changed', result }
    } finally {
      source.close()
    }
  } catch (error) {
    ctx.signal.throwIfAborted()
    return { ...about, state: 'unreadable', result: describeError(error) }
  }
}

/** Records of files that are gone, though as many are to be kept. */
function missing(log: ManagedLog): Verdict[] {
  const present = new Set(log.generations.map((file) => findRecord(log.records, file)))
  const isGone = (record: GenerationRecord) =>
    !present.has(record) && !isOutlived(record, log.records, log.retention, log.nowMs)
  return log.records.filter(isGone).map((record) => ({
    path: log.path,
    log: log.path,
    state: 'missing',
    result: `what was rotated at ${new Date(record.rotatedMs).toISOString()} (${record.bytesIn} bytes) is gone`,
  }))
}

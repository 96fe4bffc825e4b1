import { randomBytes } from 'node:crypto'
import {
  ANY_ARGUMENTS,
  type Command,
  type CommandContext,
  type CommandResult,
  describeError,
  formatDuration,
  type HostReader,
  printablePath,
  UserError,
} from '../../../agent/contract/mod.ts'
import type { BackupConfig } from '../config.ts'
import { fromPaths } from '../destination/from.ts'
import { joinPermissions } from '../destination/open.ts'
import { makeWay } from '../priority.ts'
import { PROCESS_STATES } from '../process.ts'
import { differenceOf, hashFile } from '../restore/compare.ts'
import { type ContentEntry, Contents } from '../restore/contents.ts'
import { RESTORE_CAPABILITIES, RESTORE_PROGRAMS } from '../restore/stage.ts'
import { textOption } from './arguments.ts'
import { type Located, locateOptions, locatePermissions, withBackups } from './locate.ts'
import { openBackup, whichOptions } from './open.ts'
import { signerOptions, signerPaths } from './signer.ts'
import { secretsOf, unlockOptions } from './unlock.ts'

const LISTED = 100
const DEFAULT_SAMPLE = 100

export const drill: Command<BackupConfig> = {
  summary:
    'Restore a whole backup aside, compare it with what the backup says, and files of it with the live ones',
  usage:
    '[--job NAME | --from DIR|FILE|URL] [--at TIME | --backup NAME] [--key FILE] [--passphrase REF] [--scratch DIR] [--sample COUNT]',
  options: {
    ...locateOptions,
    ...whichOptions,
    scratch: {
      type: 'string',
      means: 'Directory with room for all of it; else the state directory of the job',
    },
    sample: {
      type: 'string',
      means: `How many files are compared with the live ones, taken at random; 0 is none, else ${DEFAULT_SAMPLE}`,
    },
    ...unlockOptions,
    ...signerOptions,
  },
  job: 'optional',
  paths: [...fromPaths, 'scratch', 'key', 'signer'],
  makes: ['scratch'],
  permissions: (config, args) =>
    joinPermissions([
      locatePermissions(config, args),
      {
        read: [
          textOption(args, 'key') ?? [],
          signerPaths(args),
          config?.sources.paths ?? [],
          PROCESS_STATES,
        ].flat(),
        write: [textOption(args, 'scratch') ?? []].flat(),
        run: RESTORE_PROGRAMS.map((program): [string, ...string[]] => [program, ANY_ARGUMENTS]),
        secrets: secretsOf(config, args),
        capabilities: RESTORE_CAPABILITIES,
      },
    ]),
  run: (ctx) => withBackups(ctx, (located) => drillOne(ctx, located)),
}

async function drillOne(ctx: CommandContext<BackupConfig>, located: Located): Promise<CommandResult> {
  makeWay(ctx)
  const { host } = ctx
  const sampleSize = countOption(textOption(ctx.args, 'sample'))
  const opened = await openBackup(ctx, located)
  const scratch = `${textOption(ctx.args, 'scratch') ?? ctx.stateDir}/drill-${randomBytes(6).toString('hex')}`
  host.makeDirectory(scratch, 0o700)
  const startedAt = performance.now()
  try {
    const contents = new Contents(() => true)
    const { restore } = await import('../restore/restore.ts')
    const { outcome } = await restore(host, opened.layers, opened.unlock, {
      target: scratch,
      patterns: [],
      overwrite: false,
      contents,
    }).catch((cause) => {
      if (cause instanceof UserError) throw cause
      throw new Error(`Cannot restore "${opened.name}": ${describeError(cause)}`, { cause })
    })
    const restoreMs = performance.now() - startedAt
    const wrong: { name: string; reason: string }[] = [...outcome.notRestored]
    let compared = 0
    for (const [name, entry] of contents.entries) {
      ctx.signal.throwIfAborted()
      ctx.progress(++compared, contents.entries.size, 'comparing entries')
      const reason = differenceOf(host, scratch, name, entry)
      if (reason !== undefined && !outcome.notRestored.some((other) => other.name === name)) {
        wrong.push({ name, reason })
      }
    }
    const spot = ctx.config ? spotCheck(host, contents.entries, sampleSize) : undefined
    return report(opened.name, contents.entries.size, restoreMs, wrong, outcome.ownersLost, spot)
  } finally {
    host.tree().removeTree(scratch)
  }
}

interface SpotCheck {
  same: number
  /** Written to since, or gone: nothing can be said. */
  changed: number
  /** Not written to since, by size and time, and yet other content. */
  wrong: string[]
}

/** Files of the backup, taken at random, against what is at their place on this host now. */
function spotCheck(
  host: HostReader,
  entries: ReadonlyMap<string, ContentEntry>,
  sampleSize: number,
): SpotCheck {
  const files = [...entries].filter(([, entry]) => entry.type === 'file')
  const result: SpotCheck = { same: 0, changed: 0, wrong: [] }
  for (let count = Math.min(sampleSize, files.length); count > 0; count--) {
    const [picked] = files.splice(Math.floor(Math.random() * files.length), 1)
    if (!picked) break
    const [name, entry] = picked
    const stat = host.exactStat(`/${name}`)
    const isUntouched = stat?.type === 'file' && stat.size === entry.size && stat.mtimeNs === entry.mtimeNs
    if (!isUntouched) result.changed++
    else if (hashFile(host, `/${name}`) === entry.sha256) result.same++
    else result.wrong.push(name)
  }
  return result
}

function report(
  name: string,
  entries: number,
  restoreMs: number,
  wrong: { name: string; reason: string }[],
  ownersLost: number,
  spot: SpotCheck | undefined,
): CommandResult {
  const lines = [
    `Restored "${name}" aside in ${formatDuration(restoreMs)}: ${entries - wrong.length} of ${entries} entries are as the backup says`,
    ...wrong.slice(0, LISTED).map(({ name, reason }) => `BAD  ${printablePath(name)}: ${reason}`),
  ]
  if (ownersLost > 0) lines.push(`${ownersLost} entries could not be given to their owners: run it as root`)
  if (spot) {
    const { same, changed } = spot
    lines.push(
      `Of ${same + changed + spot.wrong.length} files taken at random, ${same} are the same on this host, ${changed} have changed since`,
      ...spot.wrong.map(
        (file) => `BAD  ${printablePath(file)}: the live file has other content, but the same size and time`,
      ),
    )
  }
  const isBad = wrong.length > 0 || (spot?.wrong.length ?? 0) > 0
  return {
    exitCode: isBad ? 3 : 0,
    text: lines.join('\n'),
    json: {
      backup: name,
      entries,
      restoreMs: Math.round(restoreMs),
      wrong: wrong.slice(0, LISTED).map((entry) => ({ ...entry })),
      wrongCount: wrong.length,
      ownersLost,
      spotCheck: spot ? { ...spot } : null,
    },
  }
}

function countOption(text: string | undefined): number {
  if (text === undefined) return DEFAULT_SAMPLE
  if (/^\d{1,6}$/.test(text)) return Number(text)
  throw new UserError(`Cannot use --sample "${text}": wanted a number`)
}

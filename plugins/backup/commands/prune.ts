import {
  type Command,
  type CommandContext,
  type CommandResult,
  describeError,
} from '../../../agent/contract/mod.ts'
import type { BackupConfig } from '../config.ts'
import { type DestinationConfig, locationOf, pathIn } from '../destination/config.ts'
import { type DestinationLock, lockDestination } from '../destination/lock.ts'
import { joinPermissions, openDestination, permissionsOf } from '../destination/open.ts'
import { Records } from '../records.ts'
import { planPrune, prune as pruneNow, rulesFor } from '../retention/prune.ts'
import { locateOptions, wantedDestinations } from './locate.ts'

export const prune: Command<BackupConfig> = {
  summary:
    'Remove what retention does not keep; with --dry-run only say what that is, and why the rest is kept',
  usage: '--job NAME [--destination NAME] [--dry-run]',
  options: {
    destination: locateOptions.destination,
    'dry-run': { type: 'boolean', means: 'Remove nothing' },
  },
  job: 'required',
  permissions: (config, args) =>
    joinPermissions([
      ...(config ? wantedDestinations(config, args) : []).map((destination) =>
        permissionsOf(destination, 'write'),
      ),
      { capabilities: ['CAP_DAC_READ_SEARCH'] },
    ]),
  run,
}

async function run(ctx: CommandContext<BackupConfig>): Promise<CommandResult> {
  const { config } = ctx
  if (!config) throw new Error('Cannot prune without a job')
  const records = Records.load(ctx.state, ctx.stateDir)
  const results = []
  for (const destination of wantedDestinations(config, ctx.args)) {
    try {
      results.push(await pruneOne(ctx, config, destination, records))
    } catch (error) {
      ctx.signal.throwIfAborted()
      results.push({
        location: locationOf(destination),
        failure: describeError(error),
        kept: [],
        removed: [],
        held: null,
      })
    }
  }
  const isDry = ctx.args.values['dry-run'] === true
  const lines = results.flatMap(({ location, failure, kept, removed, held }) => [
    ...(failure === null ? [] : [`Cannot prune "${location}": ${failure}`]),
    ...kept.map(({ name, reasons }) => `keep    ${pathIn(location, name)}  (${reasons.join(', ')})`),
    ...removed.map((name) => `${isDry ? 'would remove' : 'removed'}  ${pathIn(location, name)}`),
    ...(held === null ? [] : [`Nothing is removed from "${location}" for now: ${held}`]),
  ])
  return {
    exitCode: results.some(({ failure }) => failure !== null) ? 4 : 0,
    text: lines.length > 0 ? lines.join('\n') : 'There is nothing to keep or to remove',
    json: { dryRun: isDry, destinations: results },
  }
}

async function pruneOne(
  ctx: CommandContext<BackupConfig>,
  config: BackupConfig,
  destinationConfig: DestinationConfig,
  records: Records,
) {
  const isDry = ctx.args.values['dry-run'] === true
  const destination = await openDestination(destinationConfig, ctx.host, ctx, records.owner)
  let lock: DestinationLock | undefined
  try {
    if (!isDry) lock = await lockDestination(destination, ctx.host, records.owner, ctx)
    const plan = await planPrune(destination, records, rulesFor(config, destinationConfig, ctx.now))
    const { removed, held } = isDry
      ? { removed: plan.remove.map(({ name }) => name), held: plan.held }
      : await pruneNow(destination, records, plan)
    return {
      location: destination.location,
      failure: null,
      kept: [...plan.keep].map(([name, reasons]) => ({ name, reasons })),
      removed,
      held: held ?? null,
    }
  } finally {
    await lock?.release()
    await destination.close()
  }
}

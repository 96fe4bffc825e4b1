import { type ApplyContext, describeError, type Finding, UserError } from '../../agent/contract/mod.ts'
import type { BackupConfig } from './config.ts'
import { type DestinationConfig, locationOf } from './destination/config.ts'
import type { Destination, StoredObject } from './destination/destination.ts'
import { DirectoryDestination } from './destination/directory.ts'
import { type DestinationLock, lockDestination } from './destination/lock.ts'
import { openDestination } from './destination/open.ts'
import { type BackupCopy, type BackupRecord, type ProvenCopy, provenAt, type Records } from './records.ts'
import { rules } from './rules.ts'

/** A place that can be written to now, cleaned of what dead runs of this job have left there. */
export interface Place {
  /** Undefined for the spool. */
  config: DestinationConfig | undefined
  destination: Destination
  /** What was there when it was opened, by name. */
  objects: ReadonlyMap<string, StoredObject>
  /** Undefined for the spool, which is this host's alone. */
  lock?: DestinationLock
}

/** The destinations of a job that can be reached, and the spool. */
export class Places {
  /** In this run. */
  private readonly proven = new Set<BackupCopy>()

  private constructor(
    readonly all: readonly Place[],
    readonly spool: Place | undefined,
    /** What could not be opened. */
    readonly failures: readonly Finding[],
  ) {}

  /** Throws when there is none. */
  static async open(ctx: ApplyContext<BackupConfig>, records: Records): Promise<Places> {
    const { config } = ctx
    const failures: Finding[] = []
    const opened = await Promise.all(
      config.destinations.map(async (destinationConfig) => {
        let destination: Destination | undefined
        let lock: DestinationLock | undefined
        try {
          destination = await openDestination(destinationConfig, ctx.host, ctx, records.owner)
          lock = await lockDestination(destination, ctx.host, records.owner, ctx)
          return { ...(await prepare(destinationConfig, destination, records)), lock }
        } catch (error) {
          await lock?.release()
          await destination?.close()
          ctx.signal.throwIfAborted()
          failures.push(deliveryFailed(locationOf(destinationConfig), error))
          return undefined
        }
      }),
    )
    const all = opened.filter((place) => place !== undefined)
    if (all.length === 0) {
      throw new UserError(failures.map(({ summary }) => summary).join('; '))
    }
    const spoolDirectory = spoolDirectoryOf(config, ctx.stateDir)
    const isRemote = all.some((place) => place.config?.type !== 'directory')
    const places = new Places(all, undefined, failures)
    if (!isRemote) return places
    try {
      return new Places(all, await openSpool(ctx, spoolDirectory, records), failures)
    } catch (error) {
      // Where there is a directory, it does without.
      if (places.firstChoices().length > 0) return places
      await places.close()
      throw error
    }
  }

  /** Where an archive is written to first, in order of preference: a disk of this host is never slow or away. */
  firstChoices(): Place[] {
    const directories = this.all.filter(({ config }) => config?.type === 'directory')
    return this.spool ? [...directories, this.spool] : directories
  }

  /** A place, the spool too, where the backup is proven and still as it was written. */
  holding(record: BackupRecord): ProvenCopy | undefined {
    const places = this.spool ? [...this.all, this.spool] : this.all
    for (const place of places) {
      const found = provenAt(record, place.destination.location)
      if (found && this.has(place, record)) return found
    }
    return undefined
  }

  has(place: Place, record: BackupRecord): boolean {
    const found = provenAt(record, place.destination.location)
    return found !== undefined && (this.proven.has(found.copy) || wasThere(place, found))
  }

  noteProven({ copy }: ProvenCopy): void {
    this.proven.add(copy)
  }

  /** The opened place of a location. */
  at(location: string): Place | undefined {
    const places = this.spool ? [...this.all, this.spool] : this.all
    return places.find(({ destination }) => destination.location === location)
  }

  isSpool(place: Place): boolean {
    return place === this.spool
  }

  /** Directories of this host that hold backups: none of them is to be in a backup itself. */
  static directoriesOf(config: BackupConfig, stateDir: string): string[] {
    const directories = config.destinations.flatMap((destination) =>
      destination.type === 'directory' ? [destination.directory] : [],
    )
    return [...directories, spoolDirectoryOf(config, stateDir)]
  }

  async close(): Promise<void> {
    await Promise.all(
      this.all.map(async ({ destination, lock }) => {
        await lock?.release()
        await destination.close()
      }),
    )
  }
}

/** Whether the object of a record was there, as it was written, when the place was opened. */
function wasThere({ objects }: Place, { record, copy }: ProvenCopy): boolean {
  const object = objects.get(record.name)
  return object !== undefined && object.bytes === record.stored.bytes && object.mtimeMs === copy.mtimeMs
}

function spoolDirectoryOf({ spoolDirectory }: BackupConfig, stateDir: string): string {
  return spoolDirectory ?? `${stateDir}/spool`
}

export function deliveryFailed(location: string, error: unknown): Finding {
  return {
    rule: 'delivery-failed',
    subject: location,
    severity: rules['delivery-failed'].severity,
    summary: `No backup got to "${location}": ${describeError(error)}`.slice(0, 2000),
    remedy: 'Put right what is said above: the next run sends it there',
  }
}

/** Takes away what a run that died left: unfinished objects, and the records of objects that are not there. */
async function prepare(
  config: DestinationConfig | undefined,
  destination: Destination,
  records: Records,
): Promise<Place> {
  // An upload of the newest one may go on where it ended.
  await destination.removeUnfinished(records.all.at(-1)?.stored ?? undefined)
  const objects = new Map((await destination.list()).map((object) => [object.name, object]))
  const { location } = destination
  // What is missing from the spool is missed by nobody.
  const isLost = (record: BackupRecord) =>
    !objects.has(record.name) && (config === undefined || !provenAt(record, location))
  const lost = records.at(location).filter(isLost)
  if (lost.length > 0) records.drop(new Set(lost.map(({ name }) => name)), location)
  return { config, destination, objects }
}

/** A directory of this host where an archive waits, encrypted, until it is where it belongs. */
async function openSpool(
  ctx: ApplyContext<BackupConfig>,
  directory: string,
  records: Records,
): Promise<Place> {
  const isOwn = directory.startsWith(`${ctx.stateDir}/`)
  const host = isOwn ? ctx.state : ctx.host
  if (isOwn && !host.stat(directory)) host.makeDirectory(directory, 0o700)
  if (host.statTarget(directory)?.type !== 'directory') {
    throw new UserError(`Cannot use the spool "${directory}": there is no such directory`)
  }
  return prepare(undefined, new DirectoryDestination(host, directory, records.owner, 'spool'), records)
}

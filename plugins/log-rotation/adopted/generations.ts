import type { HostReader } from '../../../agent/contract/mod.ts'
import type { Config } from '../config.ts'
import type { Settings } from '../logrotate/settings.ts'
import { keepAtLeast } from '../oversight/retention-policy.ts'
import { rotationNames } from '../program/rotation-names.ts'
import type { KeptFile } from '../records/judge.ts'
import type { AdoptedFamily } from '../removal.ts'

/** What a block of logrotate keeps of its logs, found by the names that it gives. Each directory is listed once. */
export class KeptGenerations {
  private readonly listed = new Map<string, string[]>()

  constructor(private readonly host: HostReader) {}

  of(log: string, settings: Settings, now: Date): KeptFile[] {
    const names = rotationNames(log, settings, now)
    const number = settings.dateExtension ? sourceOf(names.date.pattern) : '\\.[0-9]+'
    const packed = literal(settings.compressExtension)
    const matcher = new RegExp(`^${literal(names.base)}${number}${literal(names.extension)}(?:${packed})?$`)
    return withPrefix(this.list(names.directory), names.base)
      .filter((name) => matcher.test(name))
      .flatMap((name) => {
        const path = `${names.directory}/${name}`
        const stat = this.host.stat(path)
        return stat?.type === 'file' ? [{ path, ino: stat.ino, size: stat.size, mtimeMs: stat.mtimeMs }] : []
      })
  }

  private list(directory: string): string[] {
    const known = this.listed.get(directory)
    if (known) return known
    const names = this.host.stat(directory)?.type === 'directory' ? this.host.list(directory).sort() : []
    this.listed.set(directory, names)
    return names
  }
}

/** Those of sorted names that begin so: a directory may hold the logs of a thousand programs. */
function withPrefix(sorted: string[], prefix: string): string[] {
  let [low, high] = [0, sorted.length]
  while (low < high) {
    const middle = (low + high) >> 1
    if ((sorted[middle] ?? '') < prefix) low = middle + 1
    else high = middle
  }
  let end = low
  while (sorted[end]?.startsWith(prefix)) end++
  return sorted.slice(low, end)
}

const literal = (text: string) => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')

/** A date pattern, in which only digits and the sign of a time zone are sets. */
function sourceOf(pattern: string): string {
  const sets = /(\[0-9\]|\[-\+\])/
  return pattern
    .split(sets)
    .map((part) => (sets.test(part) ? part : literal(part)))
    .join('')
}

/** As `judgeRecords` wants it. */
export function retentionOf({ rotate, maxAgeDays }: Settings) {
  const keep = rotate === -1 ? Number.POSITIVE_INFINITY : rotate
  return { keep, maxAgeMs: maxAgeDays > 0 ? maxAgeDays * 86_400_000 : undefined }
}

/** What may go early of the logs of a block, when room is short. */
export function adoptedFamily(log: string, generations: KeptFile[], { retention }: Config): AdoptedFamily {
  return {
    directory: log.slice(0, log.lastIndexOf('/')) || '/',
    family: { log, generations, keepYoungerThanMs: keepAtLeast(retention, log) },
  }
}

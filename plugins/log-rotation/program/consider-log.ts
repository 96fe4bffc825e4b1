import type { BigIntStats } from 'node:fs'
import { errnoOf } from '../../../agent/lib/errors.ts'
import { decide, formatMinute } from '../logrotate/decide.ts'
import { wallTime } from '../logrotate/local-time.ts'
import type { LogSet } from '../logrotate/settings.ts'
import { type Attributes, attributesOf, modifiedAt } from './attributes.ts'
import { describe } from './describe.ts'
import { UnsafePath } from './directories.ts'
import { type Files, splitPath } from './files.ts'
import { isPrivileged } from './identity.ts'
import type { Verdict } from './listener.ts'
import type { Output } from './output.ts'
import type { RunOptions } from './rotate-set.ts'
import type { State } from './state-file.ts'

interface Considering {
  set: LogSet
  state: State
  options: RunOptions
  files: Files
  output: Output
}

/** What a log is like when it is to be rotated now; else whether that is all right. Tells why. */
export function considerLog(path: string, considering: Considering): Attributes | 'idle' | 'failed' {
  const { set, options, output } = considering
  output.debug(`considering log ${path}`)
  const isTrusted = trustDirectory(path, considering)
  const found = isTrusted === true ? lookAt(path, considering) : isTrusted
  const rotatedAt = lastRotation(path, considering)
  if (typeof found === 'string') return found
  options.seen?.add(path)
  const tell = (kind: Verdict['kind'], reason: string) => options.listener?.onVerdict(path, { kind, reason })
  if (found.isSymbolicLink()) {
    output.debug(
      `  log ${path} is symbolic link. Rotation of symbolic links is not allowed to avoid security issues -- skipping.`,
    )
    tell('not-a-file', 'it is a symbolic link')
    return 'idle'
  }
  if (found.nlink !== 1n && !set.settings.allowHardLink) {
    output.debug(
      `  log ${path} has multiple (${found.nlink}) hard links. Rotation of files with multiple hard links is not allowed for ${set.pattern} -- skipping.`,
    )
    tell('hard-linked', `it has ${found.nlink} hard links`)
    return 'idle'
  }
  output.debug(`  Now: ${formatMinute(options.now)}`)
  output.debug(`  Last rotated at ${formatMinute(rotatedAt)}`)
  const attributes = attributesOf(found)
  const log = { sizeBytes: attributes.sizeBytes, modifiedAt: modifiedAt(attributes) }
  const decision = decide(set.settings, log, rotatedAt, options.now, options.forced)
  if (decision.isFromFuture) output.error(`log ${path} last rotated in the future -- rotation forced`)
  for (const reason of decision.reasons) output.debug(`  log does not need rotating (${reason})`)
  if (!decision.rotate) {
    tell('not-due', decision.reasons.join('; '))
    return 'idle'
  }
  output.debug('  log needs rotating')
  tell('due', 'its time or its size has come')
  return attributes
}

/** As root, only in directories that root alone, or the group root, can write to. */
function trustDirectory(
  path: string,
  { set, options, files, output }: Considering,
): true | 'idle' | 'failed' {
  if (set.settings.su || !isPrivileged()) return true
  const { directory } = splitPath(path)
  try {
    const { mode, gid } = files.directory(directory)
    if ((gid === 0 || (mode & 0o020) === 0) && (mode & 0o002) === 0) return true
  } catch (error) {
    const isMissing = errnoOf(error) === 'ENOENT'
    if (error instanceof UnsafePath) {
      output.error(`skipping "${path}" because of its path: ${error.message}`)
      options.listener?.onVerdict(path, { kind: 'insecure', reason: error.message })
      return 'failed'
    }
    options.listener?.onVerdict(path, { kind: 'missing', reason: 'its directory does not exist' })
    if (isMissing && set.settings.missingOk) return 'idle'
    output.error(`stat of ${directory} failed: ${describe(error)}`)
    return 'failed'
  }
  output.error(
    `skipping "${path}" because parent directory has insecure permissions (It's world writable or writable by group which is not "root") Set "su" directive in config file to tell logrotate which user/group should be used for rotation.`,
  )
  const reason = 'others than root can write to its directory, and no su is set'
  options.listener?.onVerdict(path, { kind: 'insecure', reason })
  return 'failed'
}

function lookAt(path: string, { set, options, files, output }: Considering): BigIntStats | 'idle' | 'failed' {
  try {
    return files.entry(path)
  } catch (error) {
    options.listener?.onVerdict(path, { kind: 'missing', reason: 'it does not exist' })
    if (set.settings.missingOk && errnoOf(error) === 'ENOENT') {
      output.debug(`  log ${path} does not exist -- skipping`)
      return 'idle'
    }
    output.error(`stat of ${path} failed: ${describe(error)}`)
    return 'failed'
  }
}

/** A log seen for the first time counts as rotated at the start of this hour. */
function lastRotation(path: string, { state, options, output }: Considering): Date {
  const known = state.get(path)
  if (known) return known
  output.debug('Creating new state')
  const { minute, second } = wallTime(options.now)
  const hour = new Date(
    options.now.getTime() - (minute * 60 + second) * 1000 - (options.now.getTime() % 1000),
  )
  state.set(path, hour)
  return hour
}
